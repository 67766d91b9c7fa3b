//! Tests of what the page shows of the checkout that a run belongs to.

use std::process::Command;

use crate::support::Sandbox;

/// A repository with findings, whose remote has a password in its address.
fn repository() -> Sandbox {
    let sandbox = Sandbox::with_words("");
    sandbox.commit_all();
    assert!(sandbox.git(&["remote", "add", "origin", "https://user:secret@github.com/owner/name.git"]));
    sandbox
}

/// Returns the page that a run writes, after comparing it with the page of the finished run.
fn page_of_run(sandbox: &Sandbox) -> String {
    let path = sandbox.beside().join("page.html");
    sandbox.run(&["run", "--report", &format!("html={}", path.display())], 1);
    let page = std::fs::read_to_string(&path).unwrap();
    assert_eq!(page_of_finished_run(sandbox), page);
    page
}

fn page_of_finished_run(sandbox: &Sandbox) -> String {
    let path = sandbox.beside().join("later.html");
    sandbox.run(&["report", "--format", "html", "--output", &path.display().to_string()], 0);
    std::fs::read_to_string(path).unwrap()
}

fn head(sandbox: &Sandbox) -> String {
    let output =
        Command::new("git").args(["rev-parse", "HEAD"]).current_dir(sandbox.root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_page_shows_the_commit_as_long_as_the_plan_is_that_of_the_run() {
    let sandbox = repository();
    let link = format!("https://github.com/owner/name/blob/{}/a.txt", head(&sandbox));
    let page = page_of_run(&sandbox);
    assert!(page.contains("<title>name: failed · genti</title>"));
    assert!(page.contains(&format!("<dd><code>{}</code></dd>", head(&sandbox))) && page.contains(&link));
    assert!(page.contains(" on <code>main</code> ·") && !page.contains("secret"));

    // The same content under another commit is the same plan.
    assert!(sandbox.git(&["commit", "-q", "--allow-empty", "-m", "empty"]));
    assert!(page_of_finished_run(&sandbox).contains(&head(&sandbox)));

    sandbox.write("a.txt", "bad one\n");
    let page = page_of_finished_run(&sandbox);
    assert!(page.contains("<title>name: failed · genti</title>"));
    assert!(!page.contains(&head(&sandbox)) && !page.contains("Branch"), "another plan");
}

#[test]
fn files_with_uncommitted_changes_are_listed_and_have_no_link() {
    let sandbox = repository();
    sandbox.write("b/c.txt", "bad four\n");
    let page = page_of_run(&sandbox);
    assert!(page.contains(" on <code>main</code> with 1 uncommitted file ·"));
    assert!(page.contains("<dt>Uncommitted files</dt><dd>b/c.txt</dd>"));
    let link = |file: &str| format!("/blob/{}/{file}\"", head(&sandbox));
    assert!(page.contains(&link("a.txt")) && !page.contains(&link("b/c.txt")));
}

#[test]
fn without_a_repository_the_page_has_the_name_of_the_directory() {
    let sandbox = Sandbox::with_words("");
    let name = sandbox.root().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(page_of_run(&sandbox).contains(&format!("<title>{name}: failed · genti</title>")));
}

#[test]
fn a_partial_run_shows_its_commit_and_its_command_line() {
    let sandbox = repository();
    sandbox.write("a.txt", "bad five\n");
    let path = sandbox.beside().join("page.html");
    let report = format!("html={}", path.display());
    sandbox.run(&["run", "--tool", "words", "--since", "HEAD", "--report", &report], 1);
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("cargo genti run --tool words --since HEAD"), "{page}");
    assert!(page.contains(&head(&sandbox)));
}
