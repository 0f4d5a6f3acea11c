# What backup.sh and restore.sh call: PostgreSQL's programs and rclone, in the deployment's containers or, with BACKUP_TOOLS=host, on this
# machine. There they find PostgreSQL by its own variables (PGHOST, PGPORT, PGUSER, PGPASSWORD) and the store by rclone's, as the remote
# `s3` (RCLONE_CONFIG_S3_TYPE=s3, ..._PROVIDER, ..._ENDPOINT, ..._ACCESS_KEY_ID, ..._SECRET_ACCESS_KEY).
# shellcheck shell=sh disable=SC2154  # $folder is the scripts'

COMPOSE=${COMPOSE:-docker compose}
BACKUP_TOOLS=${BACKUP_TOOLS:-compose}
BACKUP_DATABASES=${BACKUP_DATABASES:-dagster warehouse mlflow}
# Bucket and prefix of each part: what else lies in a bucket is neither copied nor replaced.
BACKUP_PATHS=${BACKUP_PATHS:-lake/assets lake/compute_logs mlflow/artifacts}

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 2
}

postgresql() {
  if [ "$BACKUP_TOOLS" = host ]; then
    "$@"
  else
    $COMPOSE exec -T --user postgres postgresql "$@"
  fi
}

# rclone; what it reads and writes below `store` is the backup's $folder. It verifies the checksum of what it copies.
objects() {
  if [ "$BACKUP_TOOLS" = host ]; then
    rclone --config "" --fast-list "$@"
  else
    $COMPOSE --profile tools run --rm -T --user "$(id -u):$(id -g)" --volume "$folder:/backup" rclone --fast-list "$@"
  fi
}

store() {
  if [ "$BACKUP_TOOLS" = host ]; then echo "$folder"; else echo /backup; fi
}

# What the backup holds: the hash of each dump, number and bytes of the objects of each path.
contents() {
  for database in $BACKUP_DATABASES; do
    (cd "$folder" && sha256sum "$database.dump") || return 1
  done
  for path in $BACKUP_PATHS; do
    printf '%s ' "$path"
    objects size --json "$(store)/$path" || return 1
  done
}
