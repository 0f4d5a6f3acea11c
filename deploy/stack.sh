#!/bin/sh
# What `make up`, `down`, `restart`, `install`, `clean`, `logs`, `status`, `backup` and `restore` do. COMPOSE names the command that reads docker-compose.yml, if
# it is not to be found; SERVICE limits restart, install and logs to one service. Needs neither Python nor a virtual environment.
set -eu
cd "$(dirname "$0")/.."

ALL_PROFILES=storage,lineage,serving,monitoring,sandbox
WAIT_SECONDS=900

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

value_of() {
  sed -n "s/^$1=//p" .env | tail -n 1 | sed "s/^\([\"']\)\(.*\)\1\$/\2/"
}

find_compose() {
  if [ -n "${COMPOSE:-}" ]; then
    return
  elif docker compose version >/dev/null 2>&1; then
    COMPOSE="docker compose"
    docker info >/dev/null 2>&1 ||
      fail "Docker is installed, but its engine does not answer: start it, or ask for the right to use it (group docker)."
  elif podman compose version >/dev/null 2>&1; then
    COMPOSE="podman compose"
  elif podman-compose version >/dev/null 2>&1; then
    COMPOSE="podman-compose"
  else
    fail "Neither \`docker compose\` nor \`podman compose\` nor podman-compose is here: install Docker Engine with its" \
      "compose plugin 2.20.2 or newer, or Podman with podman-compose 1.6 or newer. Another command: make $action COMPOSE=\"...\"."
  fi
}

prepare() {
  sh deploy/env.sh --check
  # Containers read them as users of their own.
  closed=$(find deploy -type d ! -perm -005 -o -type f ! -perm -004)
  [ -z "$closed" ] || fail "Containers could not read these files; \`chmod -R a+rX deploy\` lets them:" "$closed"
  find_compose
}

# A registered model names the commit of the image that made it. COMPOSE is more than one word, and so not quoted.
compose() {
  DEPLOY_REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown) \
    COMPOSE_PROJECT_NAME=$(value_of COMPOSE_PROJECT_NAME) COMPOSE_PROFILES=${profiles:-$(value_of COMPOSE_PROFILES)} $COMPOSE "$@"
}

start() {
  if ! compose up --detach --wait --wait-timeout "$WAIT_SECONDS" "$@"; then
    fail "" "Not everything is healthy. \`make status\` shows which service is not, \`make logs SERVICE=<its name>\` why." \
      "A service that refuses to start names every problem with its remedy."
  fi
}

address() {
  printf '  %-12s http://%s:%s  %s\n' "$1" "$(value_of DEPLOY_BIND_ADDRESS)" "$(value_of "$2")" "$3"
}

addresses() {
  login="login: $(value_of DEPLOY_PROXY_USER)"
  case ,$(value_of COMPOSE_PROFILES), in *,lineage,*)
    address Dagster DEPLOY_DAGSTER_PORT "$login"
    ;;
  esac
  case ,$(value_of COMPOSE_PROFILES), in *,lineage,* | *,serving,*)
    address MLflow DEPLOY_MLFLOW_PORT "$login"
    ;;
  esac
  case ,$(value_of COMPOSE_PROFILES), in *,serving,*)
    address API DEPLOY_API_PORT "documentation: /docs, key: DEPLOY_API_KEYS"
    address Dashboard DEPLOY_DASHBOARD_PORT "$login"
    ;;
  esac
  case ,$(value_of COMPOSE_PROFILES), in *,monitoring,*)
    address Grafana DEPLOY_GRAFANA_PORT "login: $(value_of DEPLOY_GRAFANA_USER)"
    address Prometheus DEPLOY_PROMETHEUS_PORT "$login"
    ;;
  esac
  case ,$(value_of COMPOSE_PROFILES), in *,storage,*)
    address "S3 console" DEPLOY_S3_CONSOLE_PORT "login: DEPLOY_S3_ACCESS_KEY"
    ;;
  esac
  echo "Passwords and keys are in .env: DEPLOY_PROXY_PASSWORD, DEPLOY_GRAFANA_PASSWORD, DEPLOY_API_KEYS, DEPLOY_S3_SECRET_KEY."
}

clean() {
  profiles=$ALL_PROFILES
  cat <<END
This deletes every container, network and volume of the project $(value_of COMPOSE_PROJECT_NAME), and with them:
  postgresql  runs and events of Dagster, the warehouse's tables, experiments and the model registry
  s3          every stored partition, the models' files, the output of runs
  code-server files of runs that are under way
  prometheus  the metrics
  grafana     users, contact points and what was made in its pages
Images and .env stay. There is no way back; docs/operating.md says how to make a backup.
END
  printf 'Type yes to delete all of it: '
  answer=
  read -r answer || true
  if [ "$answer" != yes ]; then
    fail "" "Nothing was deleted."
  fi
  compose down --volumes --remove-orphans
}

action=${1:-}
service=${SERVICE:-}
case $action in
  up)
    prepare
    start
    addresses
    ;;
  down)
    prepare
    profiles=$ALL_PROFILES
    compose down
    ;;
  restart)
    prepare
    if [ -n "$service" ]; then start --force-recreate --no-deps "$service"; else start --force-recreate; fi
    ;;
  install)
    prepare
    compose build --pull ${service:+"$service"}
    echo "Built. \`make up\` starts what is new."
    ;;
  clean)
    prepare
    clean
    ;;
  logs)
    prepare
    profiles=$ALL_PROFILES
    compose logs --follow --tail 200 ${service:+"$service"}
    ;;
  status)
    prepare
    profiles=$ALL_PROFILES
    compose ps
    ;;
  backup | restore)
    [ -n "${2:-}" ] || fail "Say which folder: make $action $([ "$action" = backup ] && echo TO || echo FROM)=/backups/2026-01-31"
    [ "${BACKUP_TOOLS:-}" = host ] || prepare
    paths="$(value_of DEPLOY_LAKE_URI) s3://$(value_of DEPLOY_COMPUTE_LOGS_BUCKET)/compute_logs $(value_of DEPLOY_MLFLOW_ARTIFACTS)"
    COMPOSE_PROFILES=$(value_of COMPOSE_PROFILES) COMPOSE=${COMPOSE:-} \
      BACKUP_PATHS=${BACKUP_PATHS:-$(echo "$paths" | sed 's|s3://||g')} sh "deploy/backup/$action.sh" "$2"
    ;;
  *)
    echo "usage: stack.sh up|down|restart|install|clean|logs|status|backup|restore" >&2
    exit 2
    ;;
esac
