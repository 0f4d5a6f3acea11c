#!/bin/sh
# Puts a backup back: `restore.sh FOLDER [--yes]`. Databases and buckets become what they were then; what came later is gone.
#
# In the deployment everything that writes is stopped first and started at the end; with BACKUP_TOOLS=host that is yours to do. Nothing is
# changed unless the backup is whole. If it is cut off, run it again.
set -eu
# shellcheck source=deploy/backup/tools.sh
. "$(dirname "$0")/tools.sh"

[ -n "${1:-}" ] || fail "say where from: restore.sh FOLDER (make restore FROM=folder)"
[ -f "$1/complete" ] || fail "$1 holds no complete backup"
folder=$(cd -- "$1" && pwd)
contents 2>/dev/null | cmp -s - "$folder/contents" ||
  fail "$folder is not what was backed up: a dump or objects of $BACKUP_DATABASES, $BACKUP_PATHS are missing or different (compare $folder/contents)"
for database in $BACKUP_DATABASES; do
  postgresql pg_restore --list <"$folder/$database.dump" | grep -q "dbname: $database\$" || fail "$database.dump is no dump of the database $database"
done

if [ "${2:-}" != --yes ]; then
  echo "The backup of $(cat "$folder/complete") replaces the databases $BACKUP_DATABASES and the objects below $BACKUP_PATHS."
  printf 'What is in them now is lost. Type yes to go on: '
  answer=
  read -r answer || true
  [ "$answer" = yes ] || fail "nothing is changed"
fi

if [ "$BACKUP_TOOLS" != host ]; then
  # shellcheck disable=SC2046  # names without spaces
  $COMPOSE stop $($COMPOSE config --services | grep -vxE 'postgresql|s3')
fi
for path in $BACKUP_PATHS; do
  echo "objects $path"
  objects sync --checksum "$(store)/$path" "s3:$path"
done
for database in $BACKUP_DATABASES; do
  echo "database $database"
  postgresql psql --quiet --no-psqlrc --dbname=postgres --output=/dev/null \
    --command="SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database' AND pid <> pg_backend_pid()"
  postgresql pg_restore --clean --if-exists --create --exit-on-error --dbname=postgres <"$folder/$database.dump"
done
if [ "$BACKUP_TOOLS" != host ]; then
  $COMPOSE up --detach --wait
fi
echo "restored from $folder"
