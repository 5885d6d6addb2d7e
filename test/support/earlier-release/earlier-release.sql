-- The deployment tables of the earlier release of Ops-Center.
CREATE TABLE ota_deployments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  deployment_name varchar(255) NOT NULL,
  organization_id uuid NOT NULL,
  target_version varchar(50) NOT NULL,
  rollout_strategy varchar(50) NOT NULL DEFAULT 'manual',
  rollout_percentage integer DEFAULT 100,
  status varchar(50) NOT NULL DEFAULT 'pending',
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz DEFAULT now(),
  created_by varchar(255),
  metadata jsonb DEFAULT '{}'
);

CREATE TABLE ota_deployment_devices (
  deployment_id uuid NOT NULL,
  device_id uuid NOT NULL,
  status varchar(50) NOT NULL DEFAULT 'pending',
  started_at timestamptz,
  completed_at timestamptz,
  error_message text,
  PRIMARY KEY (deployment_id, device_id)
);
