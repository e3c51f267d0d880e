//! Names of things.

pub(crate) const TEAMS: &[&str] = &[
    "payments",
    "checkout",
    "catalog",
    "search",
    "identity",
    "billing",
    "shipping",
    "platform",
    "data",
    "ads",
    "media",
    "mobile",
    "web",
    "infra",
    "risk",
    "fraud",
    "orders",
    "inventory",
];

pub(crate) const STAGES: &[&str] = &["prod", "staging", "dev", "qa", "perf"];

pub(crate) const PARTS: &[&str] = &[
    "api",
    "worker",
    "frontend",
    "gateway",
    "scheduler",
    "consumer",
    "indexer",
    "cache",
    "proxy",
    "exporter",
    "ingest",
    "resolver",
    "notifier",
    "renderer",
];

pub(crate) const VARIABLES: &[&str] = &[
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_NAME",
    "REDIS_ADDR",
    "KAFKA_BROKERS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
    "FEATURE_FLAGS_URL",
    "HTTP_PORT",
    "METRICS_PORT",
    "GOMAXPROCS",
    "JAVA_TOOL_OPTIONS",
    "SENTRY_DSN",
    "AWS_REGION",
    "S3_BUCKET",
    "CACHE_TTL_SECONDS",
    "REQUEST_TIMEOUT_MS",
    "MAX_CONNECTIONS",
    "ENABLE_TRACING",
    "VAULT_ADDR",
    "VAULT_ROLE",
    "RETRY_BACKOFF_MS",
    "QUEUE_NAME",
    "SHARD_COUNT",
    "DEPLOY_ENV",
];

pub(crate) const REGISTRIES: &[&str] =
    &["registry.example.com", "ghcr.io/acme", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"];
