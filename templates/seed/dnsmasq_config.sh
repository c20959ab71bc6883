#!/usr/bin/env bash

# In order to override cluster domain please provide this file with the following params:
# SNO_CLUSTER_NAME_OVERRIDE=<new cluster name>
# SNO_BASE_DOMAIN_OVERRIDE=<your new base domain>
# SNO_DNSMASQ_IP_OVERRIDE=<new ip>
source /etc/default/sno_dnsmasq_configuration_overrides

HOST_IP=${SNO_DNSMASQ_IP_OVERRIDE:-"{IP}"}
CLUSTER_NAME=${SNO_CLUSTER_NAME_OVERRIDE:-"{NAME}"}
BASE_DOMAIN=${SNO_BASE_DOMAIN_OVERRIDE:-"{DOMAIN}"}
CLUSTER_FULL_DOMAIN="${CLUSTER_NAME}.${BASE_DOMAIN}"

cat << EOF > /etc/dnsmasq.d/single-node.conf
address=/apps.${CLUSTER_FULL_DOMAIN}/${HOST_IP}
address=/api-int.${CLUSTER_FULL_DOMAIN}/${HOST_IP}
address=/api.${CLUSTER_FULL_DOMAIN}/${HOST_IP}
EOF
