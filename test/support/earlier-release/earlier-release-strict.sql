-- The tables of another installation, with times without a zone and its own foreign keys, checks, indexes
-- and comments.
CREATE TABLE ota_deployments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  deployment_name varchar(200) NOT NULL,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  target_version varchar(50) NOT NULL,
  rollout_strategy varchar(20) NOT NULL
    CHECK (rollout_strategy IN ('manual', 'immediate', 'canary', 'rolling')),
  rollout_percentage integer CHECK (rollout_percentage BETWEEN 0 AND 100),
  status varchar(20) NOT NULL DEFAULT 'pending' CONSTRAINT known_deployment_status
    CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'paused', 'cancelled')),
  started_at timestamp,
  completed_at timestamp,
  created_at timestamp NOT NULL DEFAULT now(),
  created_by uuid REFERENCES users (id) ON DELETE SET NULL,
  metadata jsonb
);
CREATE INDEX idx_ota_deployments_org ON ota_deployments (organization_id);
CREATE INDEX idx_ota_deployments_status ON ota_deployments (status) WHERE status = 'in_progress';
COMMENT ON TABLE ota_deployments IS 'OTA update deployments';
COMMENT ON COLUMN ota_deployments.status IS 'see the manual';

CREATE TABLE ota_deployment_devices (
  deployment_id uuid NOT NULL REFERENCES ota_deployments (id) ON DELETE CASCADE,
  device_id uuid NOT NULL REFERENCES edge_devices (id) ON DELETE CASCADE,
  status varchar(20) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'downloading',
    'installing', 'verifying', 'completed', 'failed', 'skipped', 'rolled_back')),
  started_at timestamp,
  completed_at timestamp,
  error_message text,
  PRIMARY KEY (deployment_id, device_id)
);
CREATE INDEX idx_ota_deployment_devices_device ON ota_deployment_devices (device_id, status);
