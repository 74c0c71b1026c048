//! The names that others find for the same values.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Text as somebody writes it, its canonical text (empty: the same), and the digest that Python finds.
const VECTORS: &[(&str, &str, &str)] = &[
    ("{}", "", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    (
        r#"{"b": 1, "a": [1, 2.0, null, true]}"#,
        r#"{"a":[1,2.0,null,true],"b":1}"#,
        "cad0b23918716709c31c4a177484dd1cce2f72c941ba5c3f5d35cd80b8c10d98",
    ),
    (
        "{\"name\":\"café\",\"x\":\"\u{2028}\"}",
        r#"{"name":"caf\u00e9","x":"\u2028"}"#,
        "7d9fb753f2d16c17f9d879c62680319debb26c70e5b9d45789455de892c6711c",
    ),
    (
        r#"{"f":1.5e300,"g":0.1,"h":1e16,"i":100000000000000000000,"k":1e-7,"n":-0.0}"#,
        r#"{"f":1.5e+300,"g":0.1,"h":1e+16,"i":100000000000000000000,"k":1e-07,"n":-0.0}"#,
        "e715935d5966a34247b0eef3b7c560dbbb84f87eee5163ec565a5115e2dd6e40",
    ),
    (
        "{\"emoji\":\"😀\",\"ctl\":\"\\u0001\\n\\t\\\"\\\\\\/\u{7f}\"}",
        r#"{"ctl":"\u0001\n\t\"\\/\u007f","emoji":"\ud83d\ude00"}"#,
        "24504bede6fbbc7f6f6a45e0cea62ea3c69a8d17074a6e3fd3f5f85ee242482b",
    ),
    (
        "{\"a\":2,\"😀\":3,\"\u{fffd}\":4,\"z\":{\"b\":2,\"a\":1},\"É\":1,\"\":0}",
        r#"{"":0,"a":2,"z":{"a":1,"b":2},"\u00c9":1,"\ufffd":4,"\ud83d\ude00":3}"#,
        "09db803011714053d53d8207cf5ddd1e4c8ee0aec6fa0291fa7eef9b4e3d5db9",
    ),
    (
        r#"{"properties":{"init_sleep":{"default":0,"type":"number"},"tag":{"default":"x","type":"string"}},"type":"object"}"#,
        "",
        "6ba47d37ab99f9aaa8b596c7dd195d3796ee574932d685ac201f0a3748951a3b",
    ),
    (r#"{"init_sleep":0,"tag":"x"}"#, "", "a73f77508314ce85ff667a6108f9d3852e3c311172773a807c036a5036d064e4"),
    (
        r#"{"init_sleep":0.0,"tag":"x"}"#,
        "",
        "b5bffebab7fcb6bf097418101367f33a6cbbdc8c315dff1b14dc50690dce2042",
    ),
    (
        r#"{"n":NaN,"m":-Infinity,"i":Infinity}"#,
        r#"{"i":Infinity,"m":-Infinity,"n":NaN}"#,
        "95d375456607c10f29e29703638ee8a4fe661559266abbf7e18b6c20fb60c76a",
    ),
];

#[test]
fn a_value_has_the_name_that_python_finds_for_it() {
    for (written, canonical, digest) in VECTORS {
        let canonical = if canonical.is_empty() { written } else { canonical };
        assert_eq!(canonical_text(written).unwrap(), *canonical);
        assert_eq!(
            hash_bytes(canonical.as_bytes(), Algorithm::Sha256),
            format!("sha256:{digest}"),
            "{written}"
        );
        // What `serde_json` cannot hold is only read from text.
        let held = serde_json::from_str::<Value>(written).ok().filter(|_| !written.contains("00000000"));
        if let Some(value) = held {
            assert_eq!(canonical_json(&value), *canonical);
            assert_eq!(sha256_of(&value), format!("sha256:{digest}"));
        }
    }
    assert_eq!(sha256_of(&Value::Null), sha256_of(&json!({})));
}

#[test]
fn numbers_and_halves_of_pairs_are_written_as_python_writes_them() {
    for (written, expected) in [
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("123456789012345680.0", "1.2345678901234568e+17"),
        ("1234567890123456.7", "1234567890123456.8"),
        ("100.0", "100.0"),
        ("1.25e3", "1250.0"),
        ("-0", "0"),
        ("-12", "-12"),
        ("1e999", "Infinity"),
        (r#""\ud800x\udc00""#, r#""\ud800x\udc00""#),
        (r#""\ud83d\ude00\/""#, r#""\ud83d\ude00/""#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ("\"\u{8}\"", "no"),
        ("1.", "no"),
        ("01", "no"),
        ("+1", "no"),
        ("[1,]", "no"),
        ("{\"a\" 1}", "no"),
        ("1 2", "no"),
        ("", "no"),
    ] {
        assert_eq!(canonical_text(written).unwrap_or_else(|_| "no".to_owned()), expected, "{written}");
    }
    assert!(canonical_text(&"[".repeat(1000)).is_err());
}

#[test]
fn bytes_are_known_again_by_their_name() {
    let hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(hash_bytes(b"hello", Algorithm::Sha256), hello);
    let other = "sha3_256:3338be694f50c5f338814986cdf0686453a888b84f424d792af4b9202398f392";
    assert_eq!(hash_bytes(b"hello", Algorithm::Sha3), other);
    for (content, expected, fits) in [
        ("hello", hello.to_owned(), Ok(true)),
        ("hello", hello.to_uppercase().replace("SHA", "sha"), Ok(true)),
        ("hallo", hello.to_owned(), Ok(false)),
        ("hello", other.to_owned(), Ok(true)),
        ("hello", "2cf24d".to_owned(), Err(HashError::Shape)),
        ("hello", "md5:2cf24d".to_owned(), Err(HashError::Algorithm("md5".to_owned()))),
    ] {
        assert_eq!(verify_hash(content.as_bytes(), &expected), fits, "{expected}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(text in "\\PC{0,20}", float in any::<f64>(), number in any::<i64>()) {
        let value = json!({"a": [text, number, {"b": float}], "": null});
        let canonical = canonical_json(&value);
        prop_assert_eq!(canonical_text(&canonical).unwrap(), canonical);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}|[\\[\\]{}\",:0-9eE.+\\\\u-]{0,40}") {
        let _ = canonical_text(&text);
    }
}
