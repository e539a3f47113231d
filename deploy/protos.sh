#!/usr/bin/env bash
# Generates services/modelyard/api from protos/modelyard; with --check it changes nothing and fails when the two differ.
# The generator (grpcio-tools 1.66) is older than the runtime on purpose: its code loads on protobuf 5.29 to 7.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-protos
lock=deploy/requirements-protos.txt
target=services/modelyard/api

if ! cmp -s "$lock" "$venv/installed.txt"; then
  echo "protos: installing the generator into $venv" >&2
  "${PYTHON:-.venv/bin/python}" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
  cp "$lock" "$venv/installed.txt"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t sources < <(cd protos && find modelyard -name '*.proto' 2>/dev/null | LC_ALL=C sort)
mkdir -p "$work/modelyard/api"
if [ "${#sources[@]}" -gt 0 ]; then
  PATH="$PWD/$venv/bin:$PATH" "$venv/bin/python" -m grpc_tools.protoc -I protos -I protos/third_party \
    --python_out="$work" --grpc_python_out="$work" --mypy_out="quiet:$work" --mypy_grpc_out="quiet:$work" "${sources[@]}"
fi
# A file without a service needs no gRPC module.
grep -rLE '^class .*Stub' --include '*_pb2_grpc.py*' "$work/modelyard/api" | xargs -r rm
find "$work/modelyard/api" -type d -exec touch {}/__init__.py \;

if [ "${1:-}" = --check ]; then
  if ! diff -rq -x __pycache__ "$work/modelyard/api" "$target" >&2; then
    echo "protos: $target is not what protos/ generates; run 'make protos' and commit the result" >&2
    exit 1
  fi
  echo "protos: $target matches ${#sources[@]} .proto files"
  exit
fi

# File by file, each in one step: an import that runs meanwhile never meets an empty folder.
mkdir -p "$target"
find "$work/modelyard/api" -type f -printf '%P\n' | while read -r path; do
  if ! cmp -s "$work/modelyard/api/$path" "$target/$path"; then
    mkdir -p "$(dirname "$target/$path")"
    cp "$work/modelyard/api/$path" "$target/$path.new"
    mv "$target/$path.new" "$target/$path"
  fi
done
find "$target" -type f -not -path '*/__pycache__/*' -printf '%P\n' | while read -r path; do
  [ -e "$work/modelyard/api/$path" ] || rm "$target/$path"
done
find "$target" -mindepth 1 -type d -not -name __pycache__ -not -path '*/__pycache__/*' -printf '%P\n' | LC_ALL=C sort -r | while read -r path; do
  [ -e "$work/modelyard/api/$path" ] || rm -r "${target:?}/$path"
done
echo "protos: ${#sources[@]} .proto files in $target"
