#!/usr/bin/env bash
# Renews the locks from pyproject.toml (`deploy/lock.sh --upgrade` takes newer versions). Needs uv; the locks carry no index address.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$(command -v "${UV:-uv}") || {
  echo "lock: uv is not on PATH; install it (python -m pip install uv) or name it: make lock UV=/path/to/uv" >&2
  exit 1
}
compile() { "$uv" pip compile --quiet --python-version 3.11 --universal --no-header "$@"; }
project=(pyproject.toml --extra all --extra dev)

compile "${project[@]}" --generate-hashes -o deploy/requirements.txt "$@"
compile "${project[@]}" --extra gpu --generate-hashes -c deploy/requirements.txt -o deploy/requirements-gpu.txt
# grpcio-tools 1.66 asks for protobuf < 6 by its metadata only; mypy-protobuf needs a newer one.
compile deploy/requirements-protos.in --override <(echo 'protobuf>=6.32,<8') --no-annotate --generate-hashes -o deploy/requirements-protos.txt

# What a set-up will download, for its progress: package, bytes on x86-64, bytes on arm64 (the largest of the Pythons' wheels).
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile "${project[@]}" --extra gpu -c deploy/requirements-gpu.txt -o "$work/pylock.toml"
"${PYTHON:-.venv/bin/python}" - "$work/pylock.toml" > deploy/wheel-sizes.txt <<'PY'
import pathlib, sys, tomllib

def largest(package, machine):
    fits = [w["size"] for w in package.get("wheels", []) if w["url"].endswith(machine + ".whl") and "manylinux" in w["url"] or w["url"].endswith("-any.whl")]
    return max(fits, default=0)

for package in tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["packages"]:
    sizes = largest(package, "x86_64"), largest(package, "aarch64")
    if max(sizes) >= 1_000_000:
        print(package["name"], *sizes)
PY
