"""Makes .venv from the lock: `python3 -m deploy.prepare [--demo]`, what `make test` and `make demo` run first.

Standard library only. What can be known before the download is checked before the download. It may be stopped at any
time and run again, and when nothing has changed it does nothing.

    PYTHON=python3.12   which Python makes the environment       EXTRAS=gpu    TensorFlow's CUDA libraries too
    INSTALLER=pip|uv    which of them installs                   PORT=8470     the demo's address

Readable for Python 3.8, so that an old one gets a sentence instead of a SyntaxError.
"""
