-- ota-server in a database of its own, with foreign tables, step 1 of 2. Run it in the database of Ops-Center, as the
-- owner of its tables or as superuser. Replace 'change me'. Where organization_members has a column org_id instead of
-- organization_id, write "org_id" below.

CREATE ROLE ota_remote LOGIN PASSWORD 'change me';

GRANT SELECT (id, name) ON organizations TO ota_remote;
GRANT SELECT (user_id, organization_id, role) ON organization_members TO ota_remote;
-- postgres_fdw finds the rows that it updates by ctid.
GRANT SELECT (ctid, id, device_name, device_type, organization_id, device_id, status, last_seen, firmware_version,
  created_at, metadata) ON edge_devices TO ota_remote;
GRANT UPDATE (firmware_version) ON edge_devices TO ota_remote;
