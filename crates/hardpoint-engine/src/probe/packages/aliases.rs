//! Packages whose import name differs from the name they are installed by.
//!
//! Owns the table. It only has to hold the well-known ones: a distribution that is installed says itself
//! which modules it brings.

use hardpoint_model::manifest::normal_name;

/// An import name, and the distributions that bring it; the first is the one to recommend.
type Alias = (&'static str, &'static [&'static str]);

const ALIASES: [Alias; 30] = [
    ("Bio", &["biopython"]),
    ("Crypto", &["pycryptodome"]),
    ("OpenSSL", &["pyopenssl"]),
    ("PIL", &["pillow", "pillow-simd"]),
    ("attr", &["attrs"]),
    ("bs4", &["beautifulsoup4"]),
    (
        "cv2",
        &[
            "opencv-python-headless",
            "opencv-python",
            "opencv-contrib-python-headless",
            "opencv-contrib-python",
        ],
    ),
    ("dateutil", &["python-dateutil"]),
    ("docx", &["python-docx"]),
    ("dotenv", &["python-dotenv"]),
    ("faiss", &["faiss-cpu", "faiss-gpu"]),
    ("fitz", &["pymupdf"]),
    ("git", &["gitpython"]),
    ("google.protobuf", &["protobuf"]),
    ("grpc", &["grpcio"]),
    ("jose", &["python-jose"]),
    ("jwt", &["pyjwt"]),
    ("magic", &["python-magic"]),
    ("onnxruntime", &["onnxruntime", "onnxruntime-gpu"]),
    ("pkg_resources", &["setuptools"]),
    ("pptx", &["python-pptx"]),
    ("psycopg2", &["psycopg2-binary", "psycopg2"]),
    ("serial", &["pyserial"]),
    ("skimage", &["scikit-image"]),
    ("sklearn", &["scikit-learn"]),
    ("tensorflow", &["tensorflow", "tensorflow-cpu", "tensorflow-gpu"]),
    ("tensorrt", &["tensorrt", "tensorrt-cu12"]),
    ("usb", &["pyusb"]),
    ("yaml", &["pyyaml"]),
    ("zmq", &["pyzmq"]),
];

/// The row that knows `name`, as an import name (by case) or as the name of a distribution.
fn row(name: &str) -> Option<&'static Alias> {
    let normal = normal_name(name);
    let by_module = ALIASES.iter().find(|(module, _)| *module == name);
    by_module.or_else(|| ALIASES.iter().find(|(_, distributions)| distributions.contains(&normal.as_str())))
}

/// Every distribution that satisfies `name`: itself first.
pub(super) fn distributions(name: &str) -> Vec<String> {
    let own = normal_name(name);
    let others = row(name).map_or(&[][..], |(_, distributions)| distributions);
    let others = others.iter().filter(|other| **other != own).map(|other| (*other).to_owned());
    std::iter::once(own.clone()).chain(others).collect()
}

/// Every import name that `name` may mean: as written, with `_` for `-`, and the one of the table.
pub(super) fn modules(name: &str) -> Vec<String> {
    let mut modules: Vec<String> = vec![name.replace('-', "_")];
    if let Some((module, _)) = row(name)
        && *module != modules.concat()
    {
        modules.push((*module).to_owned());
    }
    modules.retain(|module| is_importable(module));
    modules
}

/// What to install for `name`.
pub(super) fn to_install(name: &str) -> &str {
    match row(name) {
        Some((module, [first, ..])) if *module == name => first,
        Some(_) => name,
        // `package.module` comes with the package.
        None => name.split('.').next().unwrap_or(name),
    }
}

fn is_importable(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_name_of_a_known_pair_means_both() {
        for (name, has_distribution, has_module, install) in [
            ("opencv-python", "opencv-python-headless", "cv2", "opencv-python"),
            ("cv2", "opencv-python", "cv2", "opencv-python-headless"),
            ("Pillow", "pillow", "PIL", "Pillow"),
            ("PIL", "pillow", "PIL", "pillow"),
            ("scikit_learn", "scikit-learn", "sklearn", "scikit_learn"),
            ("PyYAML", "pyyaml", "yaml", "PyYAML"),
            ("google.protobuf", "protobuf", "google.protobuf", "protobuf"),
            ("my-package", "my-package", "my_package", "my-package"),
            ("xml.etree", "xml-etree", "xml.etree", "xml"),
        ] {
            assert!(distributions(name).iter().any(|d| d == has_distribution), "{name}");
            assert!(modules(name).iter().any(|m| m == has_module), "{name}: {:?}", modules(name));
            assert_eq!(to_install(name), install, "{name}");
        }
        assert_eq!(modules("3d-tiles"), Vec::<String>::new());
    }
}
