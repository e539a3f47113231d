"""Speaks with eSpeak NG's library. Run as a program of its own, so that a fault of the library ends nothing else:

    python espeak.py FOLDER < requests > answers

FOLDER holds libespeak-ng.so and espeak-ng-data. A request is a line `voice<tab>words a minute<tab>pitch<tab>text`;
its answer is the number of samples, 4 bytes, and the samples: 16 bits, one channel, 22,050 a second; all little-endian.
"""

import ctypes
import struct
import sys

RATE = 22_050
_SYNCHRONOUS, _RETRIEVAL = 2, 0
_SPEED, _PITCH = 1, 3
_CHARACTERS_POSITION, _UTF8 = 1, 1
_SEED = 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """The library, which exists once a process."""

    def __init__(self, folder: str) -> None:
        self._library = ctypes.CDLL(f"{folder}/libespeak-ng.so")
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, folder.encode(), 0) != RATE:
            raise RuntimeError("eSpeak NG does not start")
        self._spoken = bytearray()
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, voice: str, speed: int, pitch: int, text: str) -> bytes:
        """The samples of a text."""
        self._spoken.clear()
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))  # of its breath; else it begins with the time
        content = text.encode()
        failed = self._library.espeak_SetVoiceByName(voice.encode())
        failed = failed or self._library.espeak_SetParameter(_SPEED, speed, 0)
        failed = failed or self._library.espeak_SetParameter(_PITCH, pitch, 0)
        failed = failed or self._library.espeak_Synth(
            content, len(content) + 1, 0, _CHARACTERS_POSITION, 0, _UTF8, None, None
        )
        if failed or self._library.espeak_Synchronize() or not self._spoken:
            raise RuntimeError(f"eSpeak NG has no answer to {voice} {text!r}")
        return bytes(self._spoken)

    def _take(self, samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            self._spoken += ctypes.string_at(samples, 2 * count)  # type: ignore[arg-type]
        return 0


def main() -> None:
    """Answer every line."""
    speaker = Speaker(sys.argv[1])
    for line in sys.stdin:
        voice, speed, pitch, text = line.rstrip("\n").split("\t")
        samples = speaker.speak(voice, int(speed), int(pitch), text)
        sys.stdout.buffer.write(struct.pack("<I", len(samples) // 2) + samples)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
