//! Checks that a tape is read as it was written.

use serde_json::Value;

use super::{Tape, Writer, dictionary, format::LONG};

#[test]
fn what_is_written_is_read() {
    let mut writer = Writer::default();
    let object = writer.large_object();
    let lens = [0, 1, 31, 32, 33, 79, 80, 81, LONG - 1, LONG, LONG + 1, 100_000];
    for len in lens {
        let own = "x".repeat(len);
        writer.other_name(own.as_bytes());
        writer.string(format!("{own}{}", "y".repeat(40)).as_bytes(), len);
    }
    let numbers = ["0", "31", "32", "63", "64", "4095", "4096", "999999999999999999"];
    let others = ["-1", "1.50", "-0", "1e3", "1000000000000000000", "18446744073709551616"];
    writer.other_name(b"literals");
    let array = writer.array();
    for text in numbers.iter().chain(&others).chain(&["true", "false", "null"]) {
        writer.literal(text.as_bytes());
    }
    writer.escaped(br#""\u00e9\n""#);
    writer.close(array);
    writer.close_large(object);
    let tape = writer.finish().unwrap();
    let json = Tape::new(&tape).to_json();
    let fields = lens.map(|len| format!("\"{0}\":\"{0}\"", "x".repeat(len))).join(",");
    let literals = [&numbers[..], &others, &["true", "false", "null", r#""\u00e9\n""#]].concat();
    assert_eq!(json, format!("{{{fields},\"literals\":[{}]}}", literals.join(",")));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(Tape::new(&tape).decode::<Value>().unwrap(), value);
    assert_eq!(serde_json::to_value(Tape::new(&tape)).unwrap(), value);
}

#[test]
fn names_have_every_number() {
    for number in [0, 1, 111, 112, 113, 239, 240, dictionary::SIZE - 1] {
        let mut writer = Writer::default();
        let object = writer.object();
        writer.name(number);
        writer.literal(b"7");
        writer.close(object);
        let tape = writer.finish().unwrap();
        let mut tape = Tape::new(&tape);
        tape.next();
        assert!(matches!(tape.name(), super::read::Name::Number(own) if own == number));
        assert!(matches!(tape.next(), super::Value::Integer(7)));
    }
}

/// Checks that the values around a large object are found.
#[test]
fn containers_of_any_size() {
    for len in [0, 10, LONG - 10, LONG, 3 * LONG] {
        let mut writer = Writer::default();
        let [outer, inner] = [writer.array(), writer.array()];
        writer.string("x".repeat(len).as_bytes(), len);
        writer.close(inner);
        writer.literal(b"true");
        writer.close(outer);
        let tape = writer.finish().unwrap();
        assert_eq!(Tape::new(&tape).to_json(), format!("[[\"{}\"],true]", "x".repeat(len)));
    }
}

#[test]
fn what_is_no_tape_is_read_to_its_end() {
    for text in [
        "",
        "\u{1}",
        "\u{5}\u{7f}\u{7f}",
        "\u{b}",
        "\u{3}\u{7f}\u{7f}",
        "\u{7}",
        "é",
        "\u{5}\u{0}\u{4}\u{7f}\u{c}é",
    ] {
        let _ = Tape::new(text).to_json();
        let _ = Tape::new(text).decode::<Value>();
        let _ = Tape::new(text).seek("a");
    }
}
