//! `system_setting_changed`: a setting of the server, a database or a role is changed for everybody.

use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "system_setting_changed",
    page: migration_page!("system_setting_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let (setting, whom) = match &cx.statement.body {
        Body::AlterSystem { setting } => (
            setting.as_deref().unwrap_or("every setting"),
            "the whole server, all its databases, once it reloads or restarts".to_owned(),
        ),
        Body::AlterDatabase { name, setting: Some(setting), .. } => {
            (setting.as_str(), format!("every new session in database {}", quote_ident(name.as_str())))
        }
        Body::AlterRole { name, setting: Some(setting), .. } => (
            setting.as_str(),
            match name {
                Some(name) => format!("every new session of {}", quote_ident(name.as_str())),
                None => "every new session of every role".to_owned(),
            },
        ),
        _ => return,
    };
    if !cx.lasts() {
        return;
    }
    sink.say(cx.statement.span, format!("{setting} changes for {whom}, and stays so when the application is rolled back"))
        .help("For the migration alone, in its transaction: SET LOCAL. For the application, in its connection settings.");
}
