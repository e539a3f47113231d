"""Base64 as TensorFlow Serving takes it in JSON."""

import base64


def decode(text: str) -> bytes:
    """White space counts for nothing, and padding may be missing. Raises ValueError for what is not base64."""
    plain = "".join(text.split()).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
