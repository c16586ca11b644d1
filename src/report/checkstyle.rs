//! Checkstyle XML, which most CI systems and reviewdog read.

use std::collections::BTreeMap;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, Event};

use super::terminal::Style;
use super::{Report, xml_text};
use crate::finding::{Finding, Severity};

/// The document: a `file` for each file with findings.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let mut files: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
    for finding in report.findings {
        let path = report.path(finding).unwrap_or_else(|| format!("rollsafe {}", report.command));
        files.entry(path).or_default().push(finding);
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory can't fail.
    let _ = write(&mut writer, &files);
    let mut text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    text.push('\n');
    text
}

fn write(writer: &mut Writer<Vec<u8>>, files: &BTreeMap<String, Vec<&Finding>>) -> std::io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.write_event(Event::Start(BytesStart::new("checkstyle").with_attributes([("version", "4.3")])))?;
    for (path, findings) in files {
        let path = xml_text(path);
        writer.write_event(Event::Start(BytesStart::new("file").with_attributes([("name", &*path)])))?;
        for finding in findings {
            let mut error = BytesStart::new("error");
            error.push_attribute(("line", &*finding.span.map_or(1, |span| span.line).to_string()));
            if let Some(span) = finding.span {
                error.push_attribute(("column", &*span.column.to_string()));
            }
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Notice => "info",
            };
            error.push_attribute(("severity", severity));
            let object = finding.object.as_deref().map(|object| format!("{object}: ")).unwrap_or_default();
            error.push_attribute(("message", &*xml_text(&format!("{object}{}", finding.message))));
            error.push_attribute(("source", &*format!("rollsafe.{}", finding.code)));
            writer.write_event(Event::Empty(error))?;
        }
        writer.write_event(Event::End(BytesEnd::new("file")))?;
    }
    writer.write_event(Event::End(BytesEnd::new("checkstyle")))
}
