//! What people see: transcripts in `tests/cmd/`, rewritten with `TRYCMD=overwrite cargo test --test cli`.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .env("GITHUB_ACTIONS", "")
        .env("GITLAB_CI", "")
        .env("CI", "")
        .env("TF_BUILD", "")
        .env("BUILD_ID", "")
        .case("tests/cmd/*.trycmd");
}
