-- ota-server in a schema of its own, in the database of Ops-Center. Run it there, as the owner of the tables of Ops-Center
-- or as superuser. Replace 'change me'. Where organization_members has a column org_id instead of organization_id, write
-- "org_id" below.
--
-- The role can read the columns below, change firmware_version, and create tables in its own schema: nothing else. The
-- views hide the registration tokens.

CREATE ROLE ota_server LOGIN PASSWORD 'change me';
ALTER ROLE ota_server SET search_path = ota;
CREATE SCHEMA ota;
GRANT USAGE, CREATE ON SCHEMA ota TO ota_server;

CREATE VIEW ota.organizations AS SELECT id, name FROM public.organizations;
CREATE VIEW ota.organization_members AS SELECT user_id, organization_id, role FROM public.organization_members;
CREATE VIEW ota.edge_devices AS
  SELECT id, device_name, device_type, organization_id, device_id, status, last_seen, firmware_version, created_at, metadata
  FROM public.edge_devices;

GRANT SELECT ON ota.organizations, ota.organization_members, ota.edge_devices TO ota_server;
GRANT UPDATE (firmware_version) ON ota.edge_devices TO ota_server;
