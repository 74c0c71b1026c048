//! Owns what a plugin declares to need: a GPU, packages, model files, platforms. Looks at nothing itself.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::requirement::{parse_versions, split_name};
use crate::limits::NEEDED_MB_MAX;
use crate::suggest::quoted;

/// What must be there before the plugin can start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Needs {
    /// Whether the plugin cannot work without a usable GPU.
    pub requires_gpu: bool,
    /// Memory of the machine that the plugin needs while it works, in MiB. A scheduler other than `permissive` lets no call begin without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = NEEDED_MB_MAX))]
    pub min_system_ram_mb: Option<u64>,
    /// Memory of a GPU that the plugin needs while it works, in MiB; of the same kind, for plugins that require a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = NEEDED_MB_MAX))]
    pub min_gpu_vram_mb: Option<u64>,
    /// Packages that must be importable: import names or distribution names, with versions if you like: `cv2`, `torch>=2.4`.
    #[schemars(length(max = 256))]
    pub dependencies: Vec<Dependency>,
    /// Model files that must be there: a table of name and path, or a list of objects.
    #[serde(deserialize_with = "models")]
    #[schemars(with = "Models")]
    pub models: Vec<Model>,
    /// The machines the plugin runs on: `linux-x64`, `darwin-arm64`, or a system alone: `linux`. Empty means any.
    #[schemars(length(max = 64), extend("items" = {"type": "string", "maxLength": 64, "format": "platform"}))]
    pub platforms: Vec<String>,
}

/// One model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Model {
    /// What the plugin calls the model.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Where the file lies, relative to the manifest.
    #[schemars(length(max = 1024), extend("format" = "relative-path"))]
    pub path: String,
    /// The SHA-256 of the file, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "sha256", "pattern" = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
    /// How large the file must be at least, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
}

/// The two ways to write models.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Models {
    Table(
        #[schemars(extend("maxProperties" = 256, "additionalProperties" = {"type": "string", "maxLength": 1024, "format": "relative-path"}))]
         std::collections::BTreeMap<String, String>,
    ),
    List(#[schemars(length(max = 256))] Vec<Model>),
}

fn models<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Model>, D::Error> {
    Ok(match Models::deserialize(deserializer)? {
        Models::List(models) => models,
        Models::Table(table) => table
            .into_iter()
            .map(|(name, path)| Model { name, path, sha256: None, min_bytes: None })
            .collect(),
    })
}

/// A package the plugin imports: `cv2`, `torch>=2.4`, `google.protobuf`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dependency {
    /// The import name or the distribution name, as written.
    pub name: String,
    /// The versions that will do; empty means any.
    pub versions: VersionSpecifiers,
}

/// Why a text does not name a dependency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// The name has odd characters.
    #[error("must start with the name of a package or module")]
    Name,
    /// The text behind the name is no version specifier.
    #[error("has a version that cannot be understood: {0}")]
    Versions(String),
}

impl Dependency {
    /// Whether `version` will do. A version that PEP 440 does not know fits only "any".
    pub fn accepts(&self, version: &str) -> bool {
        self.versions.is_empty()
            || version.parse::<Version>().is_ok_and(|version| self.versions.contains(&version))
    }
}

impl FromStr for Dependency {
    type Err = DependencyError;

    fn from_str(text: &str) -> Result<Self, DependencyError> {
        let (name, versions) = split_name(text.trim());
        let first_fits = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if !first_fits || name.ends_with(['.', '-']) || name.len() > 256 {
            return Err(DependencyError::Name);
        }
        let versions =
            parse_versions(versions).ok_or_else(|| DependencyError::Versions(quoted(versions.trim())))?;
        Ok(Self { name: name.to_owned(), versions })
    }
}

impl TryFrom<String> for Dependency {
    type Error = DependencyError;

    fn try_from(text: String) -> Result<Self, DependencyError> {
        text.parse()
    }
}

impl From<Dependency> for String {
    fn from(dependency: Dependency) -> Self {
        dependency.to_string()
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.versions)
    }
}

impl JsonSchema for Dependency {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dependency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 512, "format": "dependency"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_names_with_or_without_versions() {
        for (text, expected) in [
            ("cv2", Some(("cv2", ""))),
            ("torch >= 2.4, <3", Some(("torch", ">=2.4, <3"))),
            ("google.protobuf", Some(("google.protobuf", ""))),
            ("_private", Some(("_private", ""))),
            ("scikit-learn~=1.5", Some(("scikit-learn", "~=1.5"))),
            ("torch (>=2)", Some(("torch", ">=2"))),
            ("torch=>2", None),
            ("", None),
            ("-r requirements.txt", None),
            ("torch two", None),
        ] {
            let parsed = text.parse::<Dependency>().ok();
            let parts = parsed.as_ref().map(|d| (d.name.as_str(), d.versions.to_string()));
            assert_eq!(parts, expected.map(|(name, versions)| (name, versions.to_owned())), "{text}");
        }
    }

    #[test]
    fn versions_are_compared_as_python_compares_them() {
        let torch: Dependency = "torch>=2.4".parse().unwrap();
        for (version, expected) in
            [("2.4.0", true), ("2.10", true), ("2.3.9", false), ("2.5.0+cu124", true), ("unknown", false)]
        {
            assert_eq!(torch.accepts(version), expected, "{version}");
        }
    }
}
