-- ota-server with its tables beside those of Ops-Center, with a role of its own. Run it in the database of Ops-Center as
-- superuser. Replace 'change me', and ops_center: the role that Ops-Center uses.
--
-- ota-server adds columns and triggers to the deployment tables, which only their owner can do. Ops-Center keeps its
-- access to them as a member of the role.

CREATE ROLE ota_server LOGIN PASSWORD 'change me';
GRANT ota_server TO ops_center;

GRANT USAGE, CREATE ON SCHEMA public TO ota_server;
GRANT SELECT ON organizations, organization_members, edge_devices TO ota_server;
GRANT UPDATE (firmware_version) ON edge_devices TO ota_server;
ALTER TABLE ota_deployments OWNER TO ota_server;
ALTER TABLE ota_deployment_devices OWNER TO ota_server;
