"""Options of older files that nothing reads any more, each with what to do instead.

They are warned of, and never an error: an old file must start the new service.
"""

from __future__ import annotations

from collections.abc import Mapping

ALWAYS = "backups are always compressed and encrypted; remove it"
PROVIDERS = "infrastructures are chosen by `provider`; other ones come as packages"
NO_BUS = "services share the metadata database and need no message bus; remove it"
NO_INFRASTRUCTURE = "the provider of this installation has nothing that it applies to"
NO_BACKUPS = "this release takes no backups"
LOGGING = "see `log_file`, `log_format` and `--log-config-append`"
STEPS = "each step of an operation has its own time limit; remove it"
EMPTY_LISTS = "this release has nothing of the kind to list"
NO_CLUSTERS = "this release makes no clusters"
NO_REPLICAS = "this release makes no replicas"
FIXED_PARTS = "the services' parts are fixed, and datastores and providers are packages; remove it"
BY_PROVIDER = "the provider decides how an agent is started; remove it"
OWN_ACCOUNT = "services need no account of their own; Keystone's is in [keystone_authtoken]"
COMMAND_LINE = "works on the command line alone: give it as --config-file, --config-dir or \
--log-config-append"
VOLUMES = "the provider makes and mounts volumes by its own rules; remove it"
PORTS = "an engine listens on its own port alone; remove it"
PASSWORDS = "passwords that the service makes have a fixed length; remove it"
ROOT = "root is enabled on request, with all rights that the engine can give; remove it"

# By note, for most of them share one with many others.
_NOTES: Mapping[str, str] = {
    ALWAYS: "backup_use_gzip_compression backup_use_openssl_encryption",
    NO_BACKUPS: """
        storage_strategy backup_swift_container backup_segment_max_size backup_chunk_size
        verify_swift_checksum_on_restore running_backups_expires restore_usage_timeout
        guest_log_container_name guest_log_limit guest_log_expiry replica_snapshot_driver
        agent_replication_snapshot_timeout backup_use_snet storage_namespace""",
    NO_CLUSTERS: "cluster_delete_time_out",
    FIXED_PARTS: """
        conductor_manager taskmanager_manager quota_driver datastore_manager
        datastore_registry_ext template_path dns_driver dns_instance_entry_factory
        logging_debug_format_suffix logging_exception_prefix""",
    BY_PROVIDER: "guest_id use_heat heat_time_out use_nova_server_volume use_nova_key_name",
    OWN_ACCOUNT: """
        nova_proxy_admin_user nova_proxy_admin_pass nova_proxy_admin_tenant_name
        nova_proxy_admin_tenant_id trove_auth_url""",
    COMMAND_LINE: "config_file config_dir log_config_append",
    PASSWORDS: "default_password_length",
    ROOT: "root_grant root_grant_option",
    VOLUMES: "volume_format_timeout num_tries",
    PROVIDERS: """
        remote_nova_client remote_cinder_client remote_neutron_client remote_swift_client
        remote_heat_client remote_dns_client remote_glance_client remote_barbican_client
        remote_guest_client network_driver""",
    NO_BUS: """
        transport_url control_exchange rabbit_host rabbit_port rabbit_userid rabbit_password
        rabbit_use_ssl rpc_backend enable_secure_rpc_messaging taskmanager_rpc_encr_key
        inst_rpc_key_encr_key instance_rpc_encr_key rpc_response_timeout notification_driver
        notification_service_id exists_notification_transformer exists_notification_interval
        quota_notification_interval report_interval conductor_queue taskmanager_queue""",
    NO_INFRASTRUCTURE: """
        nova_compute_url cinder_url neutron_url swift_url heat_url glance_url barbican_url
        nova_compute_service_type cinder_service_type neutron_service_type swift_service_type
        heat_service_type nova_compute_endpoint_type cinder_endpoint_type neutron_endpoint_type
        swift_endpoint_type heat_endpoint_type management_networks management_security_groups
        network_label_regex ip_regex black_list_regex trove_security_groups_support
        trove_security_group_rule_cidr trove_security_group_name_prefix trove_dns_support
        dns_domain_id dns_domain_name dns_ttl dns_time_out nova_keypair
        use_nova_server_config_drive cloudinit_location guest_config injected_config_location
        guest_info default_locality cinder_volume_type enable_volume_az online_volume_resize
        volume_rootdisk_support volume_rootdisk_size volume_fstype format_options mount_options
        device_path block_device_mapping docker_bridge_network_ip docker_insecure_registries
        reserved_network_cidrs cluster_usage_timeout default_neutron_networks add_addresses
        dns_account_id dns_auth_url dns_endpoint_url dns_hostname dns_management_base_url
        dns_passkey dns_region dns_service_type dns_username""",
    STEPS: """
        revert_time_out reboot_time_out server_delete_time_out volume_time_out
        state_change_wait_time usage_sleep_time update_status_on_fail""",
    EMPTY_LISTS: """
        backups_page_size configurations_page_size clusters_page_size modules_page_size""",
    LOGGING: """
        log_date_format logging_context_format_string logging_default_format_string
        default_log_levels use_stderr""",
    "each project has a key of its own, made by the service; remove it": "backup_aes_cbc_key",
    "every instance has a data volume; remove it": "trove_volume_support",
    "a replica's volume is always checked; remove it": "verify_replica_volume_size",
    "use `debug`": "verbose",
    "statements are not logged, for they have tenants' passwords": "sql_query_logging",
    "use `bind_host`": "host",
    "2048 connections wait to be accepted; remove it": "backlog",
    "idle connections are closed by the service; remove it": "tcp_keepidle",
    "a conductor is one process; start as many as you need": "trove_conductor_workers",
    "use `log_file` with a whole path": "log_dir",
    "the whole head of a request may have 64 KiB": "max_header_line",
    "the API's parts are put together by the program; remove it": "api_paste_config",
}

OBSOLETE: Mapping[str, str] = {
    name: note for note, names in _NOTES.items() for name in names.split()
}
"""Names of section DEFAULT."""

FAMILIES: Mapping[str, str] = {"qpid_": NO_BUS, "rabbit_": NO_BUS, "kombu_": NO_BUS}
"""How names of section DEFAULT begin that are too many to be listed."""

_ENGINE_NOTES: Mapping[str, str] = {
    PORTS: "tcp_ports udp_ports",
    VOLUMES: "volume_support device_path mount_point readahead_size",
    ROOT: "root_on_create",
    PASSWORDS: "default_password_length",
    "use [DEFAULT] usage_timeout": "usage_timeout",
    NO_BACKUPS: """
        backup_strategy backup_incremental_strategy backup_namespace restore_namespace
        backup_docker_image""",
    NO_REPLICAS: """
        replication_strategy replication_namespace replication_user replication_password""",
    NO_CLUSTERS: """
        cluster_support cluster_member_count api_strategy taskmanager_strategy
        guestagent_strategy num_config_servers_per_cluster num_query_routers_per_cluster""",
    "logs are files in the instance's own volume": "guest_log_exposed_logs",
    BY_PROVIDER: """
        docker_image database_service_uid database_service_gid database_service_uname""",
}

OBSOLETE_OF_ENGINES: Mapping[str, str] = {
    name: note for note, names in _ENGINE_NOTES.items() for name in names.split()
}
"""Names of every datastore's section."""

OBSOLETE_SECTIONS: Mapping[str, str] = {
    "oslo_messaging_rabbit": NO_BUS,
    "oslo_messaging_notifications": NO_BUS,
    "oslo_messaging_kafka": NO_BUS,
    "upgrade_levels": NO_BUS,
    "service_credentials": NO_INFRASTRUCTURE,
    "network": NO_INFRASTRUCTURE,
    "guest_agent": NO_INFRASTRUCTURE,
    "profiler": "see /metrics of each service",
    "oslo_policy": "the policy is in trove/api/policy.py",
    "cors": "put it into the proxy before the API",
    "cache": "see [api] token_cache_seconds",
    "oslo_concurrency": "nothing takes file locks; remove it",
    "oslo_middleware": "see `public_endpoint`",
}

OBSOLETE_IN: Mapping[tuple[str, str], str] = {
    ("database", "max_retries"): "a lost connection is always tried again; remove it",
    ("database", "retry_interval"): "a lost connection is tried again every second; remove it",
    ("database", "idle_timeout"): "connections are renewed after 30 minutes; remove it",
    ("database", "connection_recycle_time"): "connections are renewed after 30 minutes; remove it",
    ("database", "max_pool_size"): "each process has 10 connections and 10 more under load",
    ("database", "max_overflow"): "each process has 10 connections and 10 more under load",
}


def obsolete_note(section: str, name: str) -> str | None:
    """What to do instead of a known option that nothing reads."""
    if section == "DEFAULT":
        families = (note for start, note in FAMILIES.items() if name.startswith(start))
        return OBSOLETE.get(name) or next(families, None)
    return OBSOLETE_SECTIONS.get(section) or OBSOLETE_IN.get((section, name))
