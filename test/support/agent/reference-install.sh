#!/bin/bash
set -e

echo "Installing update v2.1.0..."

# Backup current agent
cp /usr/local/bin/edge_agent.py /usr/local/bin/edge_agent.py.backup

# Copy new agent
if [ -f "edge_agent.py" ]; then
    cp edge_agent.py /usr/local/bin/edge_agent.py
    chmod +x /usr/local/bin/edge_agent.py
fi

# Update firmware
if [ -d "firmware" ]; then
    cp -r firmware/* /boot/firmware/
fi

# Update config
if [ -d "config" ]; then
    cp config/* /etc/edge-agent/
fi

echo "Installation complete!"
