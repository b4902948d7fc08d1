#!/bin/sh
# Make a virtual environment with the first Python that is new enough.
# Usage: make-venv.sh PYTHON-OR-EMPTY FOLDER
set -eu
asked=$1
folder=$2

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ -x "$folder/bin/python" ] && is_new_enough "$folder/bin/python"; then
    exit 0
fi

found=
for candidate in ${asked:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
        found=$candidate
        break
    fi
done
if [ -z "$found" ]; then
    echo "Key2XS needs Python 3.11 or later; found: $(python3 --version 2>&1 || echo none)." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
echo "setting up: environment with $("$found" --version)"
rm -rf "$folder"
if ! "$found" -m venv "$folder"; then
    rm -rf "$folder"
    echo "$found cannot make virtual environments; on Debian and Ubuntu install the package python3-venv." >&2
    exit 1
fi
