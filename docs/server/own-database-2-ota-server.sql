-- ota-server in a database of its own, with foreign tables, step 2 of 2. Create a database, and run this there as
-- superuser. Replace the address of the database of Ops-Center, 'change me' (the password of step 1) and 'change me too'
-- (the password for database_url). Where organization_members has a column org_id instead of organization_id, write
-- "org_id" below.

CREATE ROLE ota_server LOGIN PASSWORD 'change me too';
GRANT USAGE, CREATE ON SCHEMA public TO ota_server;

CREATE EXTENSION IF NOT EXISTS postgres_fdw;
-- With these estimates, PostgreSQL looks single devices up by id. Without them, it would fetch the whole table for each
-- poll, and lock all of it for each report.
CREATE SERVER ops_center FOREIGN DATA WRAPPER postgres_fdw OPTIONS (
  host 'ops-center-postgres', port '5432', dbname 'ops_center',
  use_remote_estimate 'true', fdw_startup_cost '1', fdw_tuple_cost '10');
CREATE USER MAPPING FOR ota_server SERVER ops_center OPTIONS (user 'ota_remote', password 'change me');

CREATE FOREIGN TABLE organizations (id uuid NOT NULL, name varchar(255) NOT NULL) SERVER ops_center;
CREATE FOREIGN TABLE organization_members (user_id uuid NOT NULL, organization_id uuid NOT NULL, role varchar(50) NOT NULL)
  SERVER ops_center;
CREATE FOREIGN TABLE edge_devices (
  id uuid NOT NULL, device_name varchar(255) NOT NULL, device_type varchar(50) NOT NULL, organization_id uuid NOT NULL,
  device_id varchar(255) NOT NULL, status varchar(20) NOT NULL, last_seen timestamptz, firmware_version varchar(50),
  created_at timestamptz NOT NULL, metadata jsonb) SERVER ops_center;

GRANT SELECT ON organizations, organization_members, edge_devices TO ota_server;
GRANT UPDATE (firmware_version) ON edge_devices TO ota_server;
