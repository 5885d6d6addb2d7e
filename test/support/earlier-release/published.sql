-- The deployment tables of the published Ops-Center, which require a percentage and an author who is one of
-- its users.
CREATE TABLE ota_deployments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  deployment_name varchar(255) NOT NULL,
  organization_id uuid NOT NULL REFERENCES organizations,
  target_version varchar(50) NOT NULL,
  rollout_strategy varchar(50) NOT NULL DEFAULT 'manual',
  rollout_percentage integer NOT NULL DEFAULT 100,
  status varchar(20) NOT NULL DEFAULT 'pending',
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by uuid REFERENCES keycloak_users,
  metadata jsonb
);

CREATE TABLE ota_deployment_devices (
  deployment_id uuid NOT NULL REFERENCES ota_deployments ON DELETE CASCADE,
  device_id uuid NOT NULL REFERENCES edge_devices ON DELETE CASCADE,
  status varchar(20) NOT NULL DEFAULT 'pending',
  started_at timestamptz,
  completed_at timestamptz,
  error_message text,
  PRIMARY KEY (deployment_id, device_id)
);
CREATE INDEX idx_ota_deployment_devices ON ota_deployment_devices (deployment_id, status);
