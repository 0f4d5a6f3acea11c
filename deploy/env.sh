#!/bin/sh
# `.env` for docker-compose.yml: adds what it lacks of compose.env, with a new random value for each <secret>, and changes no line that is
# there. `--check` only says what is missing (exit 1). Prints names, never values.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
template=$folder/compose.env
env_file=${ENV_FILE:-$folder/../.env}

names() {
  sed -n 's/^\([A-Z][A-Z0-9_]*\)=.*/\1/p' "$template"
}

is_secret() {
  grep -q "^$1=<secret>\$" "$template"
}

if [ -e "$env_file" ] && [ ! -f "$env_file" ]; then
  echo "$env_file is not a file" >&2
  exit 1
fi

has() {
  [ -f "$env_file" ] && grep -q "^$1=" "$env_file"
}

value_of() {
  sed -n "s/^$1=//p" "$2" | tail -n 1 | sed "s/^\([\"']\)\(.*\)\1\$/\2/"
}

random_hex() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# The comment lines above a name in the template, unless another name stands between.
comment_of() {
  awk -v name="$1" '
    /^#/ { text = text $0 "\n"; next }
    index($0, name "=") == 1 { printf "%s", text; exit }
    { text = "" }
  ' "$template"
}

add() {
  if is_secret "$1"; then value=$(random_hex); else value=$(value_of "$1" "$template"); fi
  comment=$(comment_of "$1")
  if [ -n "$comment" ]; then printf '\n%s\n' "$comment" >>"$env_file"; fi
  printf '%s=%s\n' "$1" "$value" >>"$env_file"
  printf '  %s\n' "$1"
}

write() {
  umask 077
  if [ ! -f "$env_file" ]; then
    cp "$folder/../.env.example" "$env_file"
  fi
  chmod 600 "$env_file"
  # A last line without an end would swallow the first name.
  if [ -n "$(tail -c 1 "$env_file")" ]; then echo >>"$env_file"; fi
  missing=
  for name in $(names); do
    has "$name" || missing="$missing $name"
  done
  if [ -n "$missing" ]; then
    echo "Added to .env:"
    for name in $missing; do add "$name"; done
  else
    echo ".env lacks nothing."
  fi
  for name in $(names | grep '_IMAGE$'); do
    if [ "$(value_of "$name" "$env_file")" != "$(value_of "$name" "$template")" ]; then
      echo "$name in .env is another image than this version was made for: $(value_of "$name" "$template")"
    fi
  done
}

check() {
  if ! grep -qs '^DEPLOY_' "$env_file"; then
    echo ".env has nothing for the deployment yet: \`make env\` writes it, with new passwords." >&2
    exit 1
  fi
  problems=
  if grep -q "$(printf '\r')" "$env_file"; then
    problems="
  its lines end as on Windows (CR LF): convert it, with dos2unix for one"
  fi
  for name in $(names); do
    value=$(value_of "$name" "$env_file")
    case $value in
      *' #'*)
        problems="$problems
  $name has a comment behind its value: put it on a line of its own"
        ;;
    esac
    if [ -z "$value" ]; then
      problems="$problems
  $name is missing"
    elif is_secret "$name"; then
      case $name in *_S3_*) others=/+= ;; *_KEYS) others=, ;; *) others= ;; esac
      case $value in
        *[!A-Za-z0-9._~$others-]*)
          problems="$problems
  $name may only have letters, digits and . _ ~ - $others"
          ;;
      esac
    fi
  done
  if [ -n "$problems" ]; then
    echo ".env is not complete (\`make env\` adds what is missing, and leaves the rest to you):$problems" >&2
    exit 1
  fi
}

case ${1:-} in
  --check) check ;;
  '') write ;;
  *)
    echo "usage: env.sh [--check]" >&2
    exit 2
    ;;
esac
