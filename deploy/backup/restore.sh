#!/bin/sh
# Puts a backup back: `restore.sh FOLDER [--yes]`. Databases and buckets become what they were then; what came later is gone.
#
# Everything that writes is stopped first and started at the end. If it is cut off, run it again.
set -eu
. "$(dirname "$0")/tools.sh"

[ -n "${1:-}" ] || fail "say where from: restore.sh FOLDER (make restore FROM=folder)"
[ -f "$1/$COMPLETE" ] || fail "$1 holds no complete backup"
folder=$(cd "$1" && pwd)
for database in $BACKUP_DATABASES; do
  [ -s "$folder/$database.dump" ] || fail "$folder has no database $database"
done
for bucket in $BACKUP_BUCKETS; do
  [ -d "$folder/$bucket" ] || fail "$folder has no bucket $bucket"
done

if [ "${2:-}" != --yes ]; then
  echo "The backup of $(head -n 1 "$folder/$COMPLETE") replaces the databases $BACKUP_DATABASES and the buckets $BACKUP_BUCKETS."
  printf 'What is in them now is lost. Type yes to go on: '
  read -r answer
  [ "$answer" = yes ] || fail "nothing is changed"
fi

if [ "$BACKUP_TOOLS" != host ]; then
  # shellcheck disable=SC2046  # names without spaces
  $COMPOSE stop $($COMPOSE config --services | grep -vxE 'postgresql|s3')
fi
for bucket in $BACKUP_BUCKETS; do
  echo "bucket $bucket"
  objects sync --checksum "$(store)/$bucket" "s3:$bucket"
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
