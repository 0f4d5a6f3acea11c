#!/bin/sh
# Makes the three databases and the four roles, each role with the password of its environment variable. The image runs it on an empty
# volume; run again, it sets the passwords anew and changes nothing else.
set -eu
: "${POSTGRES_USER:?}" "${POSTGRES_PASSWORD:?}" "${DAGSTER_PASSWORD:?}" "${WAREHOUSE_PASSWORD:?}" "${MLFLOW_PASSWORD:?}" "${GRAFANA_PASSWORD:?}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv superuser POSTGRES_USER
\getenv superuser_password POSTGRES_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD
\getenv warehouse_password WAREHOUSE_PASSWORD
\getenv mlflow_password MLFLOW_PASSWORD
\getenv grafana_password GRAFANA_PASSWORD
SET log_statement = none;
SET log_min_error_statement = panic;

ALTER ROLE :"superuser" PASSWORD :'superuser_password';
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['dagster', 'warehouse', 'mlflow', 'grafana']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE dagster LOGIN PASSWORD :'dagster_password';
ALTER ROLE warehouse LOGIN PASSWORD :'warehouse_password';
ALTER ROLE mlflow LOGIN PASSWORD :'mlflow_password';
ALTER ROLE grafana LOGIN PASSWORD :'grafana_password';

SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM unnest(ARRAY['dagster', 'warehouse', 'mlflow']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE ALL ON DATABASE dagster, warehouse, mlflow, postgres, template1 FROM PUBLIC;

\connect dagster
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\connect mlflow
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\connect warehouse
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Grafana reads the warehouse and nothing else, and no query of a dashboard holds the server up.
GRANT CONNECT ON DATABASE warehouse TO grafana;
GRANT USAGE ON SCHEMA public TO grafana;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO grafana;
ALTER DEFAULT PRIVILEGES FOR ROLE warehouse IN SCHEMA public GRANT SELECT ON TABLES TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '60s';
SQL
