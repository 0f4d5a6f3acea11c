#!/bin/sh
# Copies the databases and the buckets of the deployment into a new folder: `backup.sh FOLDER`. Everything may run meanwhile.
#
# The databases come first. What the registry names has been in the bucket before it was registered, so it is in the copy that follows.
set -eu
. "$(dirname "$0")/tools.sh"

[ -n "${1:-}" ] || fail "say where to: backup.sh FOLDER (make backup TO=folder)"
umask 077
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ -z "$(ls -A "$folder")" ] || fail "$folder is not empty; a backup has a folder of its own"

for database in $BACKUP_DATABASES; do
  echo "database $database"
  postgresql pg_dump --format=custom --create "--dbname=$database" >"$folder/$database.dump"
done
for bucket in $BACKUP_BUCKETS; do
  echo "bucket $bucket"
  objects copy "s3:$bucket" "$(store)/$bucket"
  mkdir -p "$folder/$bucket"
done
# Last, so that a backup that was cut off is not taken for one.
{
  date -u +%Y-%m-%dT%H:%M:%SZ
  postgresql pg_dump --version
  echo "databases: $BACKUP_DATABASES"
  echo "buckets: $BACKUP_BUCKETS"
} >"$folder/$COMPLETE"
echo "backed up to $folder: $(du -sh "$folder" | cut -f1)"
