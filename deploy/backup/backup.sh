#!/bin/sh
# Copies the databases and the buckets of the deployment into a new folder: `backup.sh FOLDER`. Everything may run meanwhile.
#
# The databases come first. What the registry names has been in the bucket before it was registered, so it is in the copy that follows.
set -eu
# shellcheck source=deploy/backup/tools.sh
. "$(dirname "$0")/tools.sh"

[ -n "${1:-}" ] || fail "say where to: backup.sh FOLDER (make backup TO=folder)"
case $1 in *:*) fail "$1: the folder's name may have no colon" ;; esac
umask 077
mkdir -p -- "$1"
folder=$(cd -- "$1" && pwd)
if [ -n "$(ls -A "$folder")" ]; then
  [ -f "$folder/complete" ] || fail "$folder is not empty, and no complete backup: if one was cut off there, delete it"
  fail "$folder is not empty; a backup has a folder of its own"
fi

for database in $BACKUP_DATABASES; do
  echo "database $database"
  postgresql pg_dump --format=custom --create "--dbname=$database" >"$folder/$database.dump"
done
for path in $BACKUP_PATHS; do
  echo "objects $path"
  mkdir -p "$folder/$path"
  objects copy "s3:$path" "$(store)/$path"
done
contents >"$folder/contents"
# Last, so that a backup that was cut off is not taken for one.
date -u +%Y-%m-%dT%H:%M:%SZ >"$folder/complete"
echo "backed up to $folder: $(du -sh "$folder" | cut -f1)"
