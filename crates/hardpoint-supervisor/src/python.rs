//! Python workers: which arguments start one, and which of the host's variables it may see.
//!
//! Owns the allow list. Everything else of the host's environment (tokens, credentials, `PYTHONPATH`)
//! stays with the host.

use crate::sdk::Sdk;
use crate::spec::Program;
use std::collections::BTreeMap;
use std::path::Path;

/// Variables of the host that every worker gets, when they are set.
const ALLOWED: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME",
    "NVIDIA_VISIBLE_DEVICES",
    "HF_HOME",
    "TORCH_HOME",
    "SOURCE_DATE_EPOCH",
];
const ALLOWED_PREFIX: &str = "LC_";

impl Program {
    /// A Python interpreter that runs the worker this host carries.
    pub fn python(interpreter: &Path, sdk: &Sdk) -> Self {
        // No user site: the environment of the plugin is all there is.
        let mut args: Vec<String> = ["-s", "-X", "faulthandler"].map(str::to_owned).into();
        args.push(sdk.worker_script().to_string_lossy().into_owned());
        Self { path: interpreter.to_owned(), args }
    }
}

/// The environment of a worker: the allowed variables of the host, the plugin's own, and the protocol's.
pub fn environment(program: &Path, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_allowed = |name: &str| ALLOWED.contains(&name) || name.starts_with(ALLOWED_PREFIX);
    let inherited =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let mut env: BTreeMap<String, String> = inherited.filter(|(name, _)| is_allowed(name)).collect();
    if let Some(bin) = program.parent() {
        // Programs that the plugin's environment brings are found before the machine's.
        let path = env.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
        env.insert("PATH".to_owned(), format!("{}:{path}", bin.display()));
    }
    env.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    env.insert("HARDPOINT_FD".to_owned(), "3".to_owned());
    env
}

/// Tells a worker that it will be given secrets, and under which title: it closes itself to other processes of its user
/// before it reads any, and after that the kernel does not let it change its title.
pub(crate) fn announce_secrets(env: &mut BTreeMap<String, String>, instance: &str) {
    env.insert("HARDPOINT_PRIVATE".to_owned(), instance.to_owned());
}
