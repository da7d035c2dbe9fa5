//! From a URL to the store behind it: scheme, bucket and key, credentials and options.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Aws};
use object_store::azure::{AzureConfigKey as Azure, MicrosoftAzureBuilder};
use object_store::client::ClientConfigKey;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Google};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::StoreOptions;
use super::place::{Bucket, Place, describe};
use super::request::Connector;
use crate::error::{Error, Reason, Result, Stage};

const SCHEMES: [&str; 5] = ["http", "https", "s3", "gs", "az"];
const MD5: &str = "?md5=";

/// Buckets that were connected to: their clones share connections and credentials, which are asked for once.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<String, Arc<dyn Bucket>>>>);

impl Connections {
    fn get(&self, key: &str) -> Option<Arc<dyn Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: String, store: &Arc<dyn Bucket>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(store));
    }
}

#[cfg(test)]
impl StoreOptions {
    /// Options by which a bucket lies in memory.
    pub(crate) fn in_memory(bucket: &str) -> Self {
        let options = Self::default();
        let store: Arc<dyn Bucket> = Arc::new(object_store::memory::InMemory::new());
        options.connections.keep(name("s3", bucket, &options), &store);
        options
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Want {
    Object,
    /// All below it: a bucket alone will do, and the server must be one that lists.
    Prefix,
}

/// The store of a URL, and the place in it.
pub(super) fn connect(location: &str, want: Want, options: &StoreOptions) -> Result<Place> {
    let (location, md5) = split_md5(location);
    let url = Url::parse(location).map_err(|error| wrong(location, &format!("not a URL: {error}")))?;
    let follow = matches!(url.scheme(), "http" | "https");
    let may_hold_secrets = follow || !url.username().is_empty() || url.password().is_some();
    let shown = if may_hold_secrets { shown(&url) } else { location.to_owned() };
    let bucket = url.host_str().unwrap_or_default();
    // The key as it is written: `Url` would encode it.
    let key = location.splitn(4, '/').nth(3).unwrap_or_default();
    let key = if want == Want::Prefix { key.trim_end_matches('/') } else { key };
    let path = if follow { Ok(Path::default()) } else { Path::parse(key) };
    let path = path.map_err(|error| wrong(&shown, &format!("not a key: {error}")))?;
    scheme_must_be_known(&url, &shown)?;
    if bucket.is_empty() || (!follow && want == Want::Object && key.is_empty()) {
        return Err(wrong(&shown, "not a URL of an object"));
    }
    if follow && want == Want::Prefix {
        return Err(wrong(&shown, "what lies behind http cannot be listed or written to; s3, gs and az can"));
    }
    let headers = headers(location, options).map_err(|error| error.in_source(shown.clone()))?;
    let (patience, limit) = (options.retry_timeout, options.request_timeout);
    let connector = Connector { patience, limit, headers, follow };
    let (store, bucket): (Arc<dyn ObjectStore>, _) = if follow {
        let mut url = url.clone();
        url.set_fragment(None);
        let builder = HttpBuilder::new().with_url(url).with_retry(no_retries()).with_http_connector(connector);
        (Arc::new(builder.build().map_err(|error| wrong(&shown, &describe(&error)))?), None)
    } else {
        let key = name(url.scheme(), bucket, options);
        let store = if let Some(store) = options.connections.get(&key) {
            store
        } else {
            let store = bucket_store(url.scheme(), bucket, &options.config, connector, &shown)?;
            options.connections.keep(key, &store);
            store
        };
        (Arc::clone(&store) as _, Some(store))
    };
    let base = url.host_str().map(|host| format!("{}://{host}/", url.scheme())).unwrap_or_default();
    let (location, stop) = (location.to_owned(), Arc::clone(&options.stop));
    Ok(Place { store, bucket, path, base, location, shown, md5, patience, limit, stop })
}

/// Fails when a URL's scheme is that of no store.
pub fn must_be_known(location: &str) -> Result<()> {
    let url = Url::parse(location).map_err(|error| wrong(location, &format!("not a URL: {error}")))?;
    scheme_must_be_known(&url, &shown(&url))
}

fn scheme_must_be_known(url: &Url, shown: &str) -> Result<()> {
    if SCHEMES.contains(&url.scheme()) {
        return Ok(());
    }
    Err(wrong(shown, &format!("{}:// is no store; http, https, s3, gs and az are", url.scheme())))
}

/// What connections are known by.
fn name(scheme: &str, bucket: &str, options: &StoreOptions) -> String {
    let StoreOptions { retry_timeout, request_timeout, config, .. } = options;
    format!("{scheme}://{bucket} {retry_timeout:?} {request_timeout:?} {config:?}")
}

/// A location without the digest that may end it, and the digest.
pub(super) fn split_md5(location: &str) -> (&str, Option<[u8; 16]>) {
    let digest = |text: &str| -> Option<[u8; 16]> {
        let nibble = |byte: &u8| char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let nibbles: Vec<u8> = text.as_bytes().iter().map(nibble).collect::<Option<_>>()?;
        let (pairs, rest) = nibbles.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        bytes.try_into().ok().filter(|_| rest.is_empty())
    };
    match location.rsplit_once(MD5).map(|(object, text)| (object, digest(text))) {
        Some((object, Some(md5))) => (object, Some(md5)),
        _ => (location, None),
    }
}

/// Repeating is the connector's and that of who reads a body.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn bucket_store(
    scheme: &str,
    bucket: &str,
    config: &[(String, String)],
    connector: Connector,
    shown: &str,
) -> Result<Arc<dyn Bucket>> {
    options_must_be_known(config, shown)?;
    let store: object_store::Result<Arc<dyn Bucket>> = match scheme {
        "s3" => s3(bucket, config, connector, shown)?.build().map(|store| Arc::new(store) as _),
        "gs" => google(bucket, config, connector, shown)?.build().map(|store| Arc::new(store) as _),
        _ => azure(bucket, config, connector, shown)?.build().map(|store| Arc::new(store) as _),
    };
    store.map_err(|error| wrong(shown, &describe(&error)))
}

fn s3(bucket: &str, config: &[(String, String)], connector: Connector, shown: &str) -> Result<AmazonS3Builder> {
    let given: Vec<(Aws, &String)> = own(config);
    let has = |key: Aws| given.iter().any(|(own, _)| *own == key);
    let mut builder = AmazonS3Builder::from_env();
    for (key, value) in &given {
        builder = builder.with_config(*key, value.as_str());
        // An endpoint that is given stands above any of the environment, also above one for S3 alone.
        if *key == Aws::Endpoint && !has(Aws::S3Endpoint) {
            builder = builder.with_config(Aws::S3Endpoint, value.as_str());
        }
    }
    let value = |key: Aws| builder.get_config_value(&key);
    let endpoint = value(Aws::S3Endpoint).or_else(|| value(Aws::Endpoint));
    must_be_safe(endpoint.as_deref(), value(Aws::Client(ClientConfigKey::AllowHttp)).as_deref(), "AWS", shown)?;
    let keys = [
        Aws::AccessKeyId,
        Aws::WebIdentityTokenFile,
        Aws::ContainerCredentialsRelativeUri,
        Aws::ContainerCredentialsFullUri,
    ];
    let is_anonymous = !has(Aws::SkipSignature) && keys.into_iter().all(|key| value(key).is_none_or(|v| v.is_empty()));
    let has_region = value(Aws::Region).is_some();
    let builder = builder.with_bucket_name(bucket).with_retry(no_retries()).with_http_connector(connector);
    let builder = if is_anonymous { builder.with_skip_signature(true) } else { builder };
    let builder = if has_region { builder } else { builder.with_region("us-east-1") };
    // One object at a time is deleted, which every server knows how to do.
    let builder =
        if has(Aws::DisableBulkDelete) { builder } else { builder.with_config(Aws::DisableBulkDelete, "true") };
    Ok(builder.with_allow_http(true))
}

fn google(
    bucket: &str,
    config: &[(String, String)],
    connector: Connector,
    shown: &str,
) -> Result<GoogleCloudStorageBuilder> {
    let given: Vec<(Google, &String)> = own(config);
    let mut builder = GoogleCloudStorageBuilder::from_env();
    for (key, value) in &given {
        builder = builder.with_config(*key, value.as_str());
    }
    let value = |key: Google| builder.get_config_value(&key);
    let allow_http = value(Google::Client(ClientConfigKey::AllowHttp));
    must_be_safe(value(Google::BaseUrl).as_deref(), allow_http.as_deref(), "GOOGLE", shown)?;
    let keys = [Google::ServiceAccount, Google::ServiceAccountKey, Google::ApplicationCredentials, Google::BearerToken];
    let is_given = given.iter().any(|(key, _)| *key == Google::SkipSignature);
    let is_anonymous = !is_given && keys.into_iter().all(|key| value(key).is_none_or(|v| v.is_empty()));
    let builder = builder.with_bucket_name(bucket).with_retry(no_retries()).with_http_connector(connector);
    Ok(if is_anonymous { builder.with_skip_signature(true) } else { builder })
}

fn azure(
    bucket: &str,
    config: &[(String, String)],
    connector: Connector,
    shown: &str,
) -> Result<MicrosoftAzureBuilder> {
    let given: Vec<(Azure, &String)> = own(config);
    let mut builder = MicrosoftAzureBuilder::from_env();
    for (key, value) in &given {
        builder = builder.with_config(*key, value.as_str());
    }
    let value = |key: Azure| builder.get_config_value(&key);
    let allow_http = value(Azure::Client(ClientConfigKey::AllowHttp));
    must_be_safe(value(Azure::Endpoint).as_deref(), allow_http.as_deref(), "AZURE", shown)?;
    let keys = [
        Azure::AccessKey,
        Azure::SasKey,
        Azure::Token,
        Azure::ClientSecret,
        Azure::FederatedTokenFile,
        Azure::MsiEndpoint,
    ];
    let is_given = given.iter().any(|(key, _)| matches!(key, Azure::SkipSignature | Azure::UseAzureCli));
    let is_set = |key: Azure| value(key).is_some_and(|value| value == "true");
    let is_emulator = is_set(Azure::UseEmulator) || is_set(Azure::UseAzureCli);
    let is_anonymous = !is_given && !is_emulator && keys.into_iter().all(|key| value(key).is_none_or(|v| v.is_empty()));
    let builder = builder.with_container_name(bucket).with_retry(no_retries()).with_http_connector(connector);
    let builder = if is_anonymous { builder.with_skip_signature(true) } else { builder };
    Ok(builder.with_allow_http(true))
}

/// The options that one kind of store knows; those of another kind are for another bucket of the same run.
fn own<K: FromStr>(config: &[(String, String)]) -> Vec<(K, &String)> {
    let key = |name: &String| name.to_ascii_lowercase().parse().ok();
    config.iter().filter_map(|(name, value)| Some((key(name)?, value))).collect()
}

/// An option that no store knows is a slip of the pen; one of the HTTP client would be without effect.
fn options_must_be_known(config: &[(String, String)], shown: &str) -> Result<()> {
    for (name, _) in config {
        let lower = name.to_ascii_lowercase();
        let keys = (lower.parse::<Aws>().ok(), lower.parse::<Google>().ok(), lower.parse::<Azure>().ok());
        let client = match keys {
            (None, None, None) => {
                return Err(wrong(
                    shown,
                    &format!("no store knows the option {name:?}; names are as AWS_… or aws_…, google_… and azure_…"),
                ));
            }
            (Some(Aws::Client(key)), ..) | (_, Some(Google::Client(key)), _) | (.., Some(Azure::Client(key))) => key,
            _ => continue,
        };
        if client != ClientConfigKey::AllowHttp {
            return Err(wrong(
                shown,
                &format!("the option {name:?} has no effect here; request_timeout and retry_timeout have"),
            ));
        }
    }
    Ok(())
}

/// Credentials go over plain HTTP only to this machine, or where the user says so.
fn must_be_safe(endpoint: Option<&str>, allow_http: Option<&str>, prefix: &str, shown: &str) -> Result<()> {
    let Some(url) = endpoint.and_then(|endpoint| Url::parse(endpoint).ok()) else { return Ok(()) };
    let is_loopback = matches!(url.host_str(), Some("localhost" | "[::1]"))
        || url.host_str().is_some_and(|host| host.starts_with("127."));
    let is_allowed = allow_http.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
    if url.scheme() != "http" || is_loopback || is_allowed {
        return Ok(());
    }
    Err(wrong(shown, &format!("the endpoint is plain http on another machine; {prefix}_ALLOW_HTTP=true allows it")))
}

fn headers(location: &str, options: &StoreOptions) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for header in options.headers.iter().filter(|header| location.starts_with(&header.prefix)) {
        let name = HeaderName::try_from(&header.name).ok();
        let value = HeaderValue::try_from(&header.value).ok();
        let Some((name, mut value)) = name.zip(value) else {
            let detail = format!("{:?} or its value is no HTTP header", header.name);
            return Err(Error::new(Stage::Open, Reason::UnsupportedFormat, detail));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only a URL without a host cannot have these, and then it has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cold]
fn wrong(shown: &str, detail: &str) -> Error {
    Error::new(Stage::Open, Reason::UnsupportedFormat, detail).in_source(shown)
}
