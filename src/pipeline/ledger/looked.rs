//! Decides which tools must have looked before an entry counts as fixed, and whether they did.

use std::collections::BTreeSet;

use super::{Ledger, may_exist};
use crate::compare::reach::Reach;
use crate::model::finding::{Entry, OWN_NAMESPACE, Site};
use crate::model::path::RelPath;
use crate::model::task::Status;
use crate::model::text::Text;
use crate::model::tool::{Per, Tool, ToolId, Work};
use crate::model::variant::Variant;
use crate::model::workspace::PackageId;
use crate::pipeline::variants::is_per_variant;

impl Reach for Ledger<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        may_exist(self.workspace, path, self.exists)
    }

    fn looked_at(&self, ns: &str, entry: &Entry) -> bool {
        if ns == OWN_NAMESPACE {
            return self.has_applied(&entry.rule);
        }
        if self.plan.unasked.contains(ns) {
            return false;
        }
        let listed = entry.in_variants.iter().flat_map(|own| own.iter());
        let mut tools = self.tools_of(ns, entry).peekable();
        tools.peek().is_some()
            && tools.all(|(id, tool)| self.covers(id, tool, &entry.site))
            && listed.into_iter().all(|name| self.looked_at_in(ns, entry, name))
    }

    fn looked_at_in(&self, ns: &str, entry: &Entry, variant: &str) -> bool {
        if self.plan.unasked.contains(ns) {
            return false;
        }
        let mut tools =
            self.tools_of(ns, entry).filter(|(_, tool)| tool.variant_name() == variant).peekable();
        match tools.peek() {
            // Nothing can be found in a variant that no longer exists.
            None => self.is_gone(ns, variant) && self.tools_of(ns, entry).next().is_some(),
            Some(_) => tools.all(|(id, tool)| self.covers(id, tool, &entry.site)),
        }
    }

    fn variants(&self, ns: &str, entry: &Entry) -> Vec<Text> {
        if !self.is_per_variant(ns, &entry.site) {
            return Vec::new();
        }
        let owner = self.owner_of(&entry.site);
        let mut names = BTreeSet::new();
        for (_, tool) in self.of_ns(ns) {
            match tool.variants.is_empty() {
                true => names.extend([tool.variant_name()]),
                false => names.extend(tool.variants.iter().map(String::as_str)),
            }
        }
        let can_have = |name: &&str| {
            let mut own = self.of_ns(ns).filter(|(_, tool)| tool.variant_name() == *name).peekable();
            let may = |(id, tool): (ToolId, &Tool)| {
                self.builds(tool, &entry.site, owner) && !self.leaves_out(id, tool, &entry.site)
            };
            own.peek().is_none() || own.any(may)
        };
        names.into_iter().filter(can_have).map(Text::from).collect()
    }
}

impl Ledger<'_> {
    fn of_ns(&self, ns: &str) -> impl Iterator<Item = (ToolId, &Tool)> {
        self.plan.graph.tools().filter(move |(_, tool)| tool.namespaces.iter().any(|own| own == ns))
    }

    /// Returns whether no tool of namespace `ns` is configured to run in `variant`.
    fn is_gone(&self, ns: &str, variant: &str) -> bool {
        self.of_ns(ns).all(|(_, tool)| match tool.variants.is_empty() {
            true => variant != Variant::DEFAULT,
            false => !tool.variants.iter().any(|name| name == variant),
        })
    }

    /// Returns whether accepting the finding of an entry of `ns` about `site` in one variant says nothing about the others.
    fn is_per_variant(&self, ns: &str, site: &Site) -> bool {
        is_per_variant(self.of_ns(ns).map(|(_, tool)| tool), matches!(site, Site::Path(_)))
    }

    /// Returns the tools of namespace `ns` that must have looked before `entry` counts as fixed: all that look at its package on
    /// this system, and those of the variants that the entry lists. A failure without a list may have been in any variant.
    fn tools_of(&self, ns: &str, entry: &Entry) -> impl Iterator<Item = (ToolId, &Tool)> {
        let owner = self.owner_of(&entry.site);
        let is_per_variant = self.is_per_variant(ns, &entry.site);
        self.of_ns(ns).filter(move |(id, tool)| {
            let is_listed = match &entry.in_variants {
                Some(_) => entry.is_in(tool.variant_name()),
                None => is_per_variant,
            };
            let is_named = is_listed && entry.in_variants.is_some();
            self.builds(tool, &entry.site, owner)
                && (is_listed || !self.is_elsewhere(tool))
                && (is_named || !self.leaves_out(*id, tool, &entry.site))
        })
    }

    /// Returns the package of `site`: that of the file or, for a test, that of its target.
    fn owner_of(&self, site: &Site) -> Option<PackageId> {
        match site {
            Site::Path(path) => self.workspace.owner_of(path),
            Site::Subject(subject) => self.workspace.owner_of_test(subject),
        }
    }

    /// Returns whether `tool` builds the package `owner` of `site`. Only the subjects of tests are known to name their package.
    fn builds(&self, tool: &Tool, site: &Site, owner: Option<PackageId>) -> bool {
        let is_known = matches!(site, Site::Path(_)) || tool.parse.work() == Work::Test;
        !is_known || owner.is_none_or(|owner| self.plan.build_of(tool).has(owner))
    }

    /// Returns whether the build of `tool` lacks features that the target of the test `site` requires, so that it can't fail there.
    fn leaves_out(&self, id: ToolId, tool: &Tool, site: &Site) -> bool {
        let needs_features = |at: usize| {
            let target = self.units[at].target(self.workspace);
            target.is_some_and(|target| target.needs_features)
                && matches!(self.tasks[at].status, Status::Skipped(_))
        };
        let mut own = self.tasks_of(id).filter(|at| self.is_of(*at, site)).peekable();
        tool.per == Per::TestTarget
            && own.peek().is_some()
            && own.all(needs_features)
            && !self.is_elsewhere(tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::{Policy, Selection};
    use crate::model::suppression::Suppression;
    use crate::model::task::{Plan, TaskIx};
    use crate::model::testing::{tool, workspace};
    use crate::model::tool::{Parse, Targets};
    use crate::model::workspace::{TargetKind, Workspace};
    use crate::pipeline::conditions::Alike;
    use crate::plan::{self, Facts};

    fn two_packages() -> Workspace {
        let (a, b) = ([(TargetKind::Lib, "a/src/lib.rs")], [(TargetKind::Lib, "b/src/lib.rs")]);
        workspace(&[("a", &a), ("b", &b)], &["a/src/lib.rs", "b/src/lib.rs"])
    }

    fn tests() -> Tool {
        let test = tool("test", Parse::Libtest, &["run"]);
        let namespaces = vec!["test".to_owned()];
        Tool { per: Per::TestTarget, targets: Some(Targets::Test), namespaces, ..test }
    }

    fn lint() -> Tool {
        Tool { namespaces: vec!["lint".to_owned()], ..tool("lint", Parse::RustcJson, &["run"]) }
    }

    /// Returns `tool` in each of `variants`, which are names of variants, some with the packages that they exclude.
    fn in_variants(tool: &Tool, variants: &[(&str, &[&str])]) -> Vec<Tool> {
        let names: Vec<_> = variants.iter().map(|(name, _)| (*name).to_owned()).collect();
        let of = |(name, exclude): &(&str, &[&str])| {
            let exclude = exclude.iter().map(|name| (*name).to_owned()).collect();
            let build = Selection { exclude, ..Selection::default() };
            let variant = Variant { name: (*name).to_owned(), build, ..Variant::default() };
            let base = Tool { variants: names.clone(), ..tool.clone() };
            match *name {
                Variant::DEFAULT => base,
                name => Tool { name: format!("{}@{name}", tool.name), variant: Some(variant.into()), ..base },
            }
        };
        variants.iter().map(of).collect()
    }

    fn planned(workspace: &Workspace, tools: Vec<Tool>) -> Plan {
        plan::plan(workspace, tools, Selection::default(), Policy::default(), &Facts::default()).unwrap()
    }

    /// Returns a ledger in which each task has the status that `status` gives for the name of its tool.
    fn ledger<'a>(workspace: &'a Workspace, plan: &'a Plan, status: &dyn Fn(&str) -> Status) -> Ledger<'a> {
        let alike = vec![Alike::Same; plan.graph.tools.len()];
        let mut ledger = Ledger::new(workspace, plan, alike, String::new(), &|_| true);
        for (at, task) in (0..).map(TaskIx).zip(&plan.graph.tasks) {
            ledger.restore(at, status(&plan.graph.tool(task.tool).name));
        }
        ledger
    }

    fn entry(site: Site, variants: Option<&[&str]>) -> Entry {
        let in_variants = variants.map(|names| names.iter().map(|name| (*name).into()).collect());
        let (rule, scope, code, msg) = Default::default();
        Entry { site, rule, scope, code, msg, in_variants, reason: None }
    }

    fn test(name: &str, variants: Option<&[&str]>) -> Entry {
        entry(Site::Subject(name.to_owned()), variants)
    }

    fn clean(_: &str) -> Status {
        Status::Clean
    }

    #[test]
    fn every_listed_variant_that_still_exists_must_have_looked() {
        let workspace = two_packages();
        let in_a = |variants: &[&str]| entry(Site::Path(RelPath::new("a/src/lib.rs")), Some(variants));
        for (tool, ns) in [(tests(), "test"), (lint(), "lint")] {
            let plan = planned(&workspace, in_variants(&tool, &[("default", &[]), ("full", &[])]));
            let ledger = ledger(&workspace, &plan, &clean);
            for (listed, expected) in [(&["full"][..], true), (&["gone"], true), (&["full", "gone"], true)] {
                assert_eq!(ledger.looked_at(ns, &in_a(listed)), expected, "{ns} {listed:?}");
                assert_eq!(ledger.looked_at(ns, &test("a t", Some(listed))), expected, "{ns} {listed:?}");
            }
        }
    }

    #[test]
    fn a_variant_that_no_longer_exists_is_gone_only_if_the_others_looked() {
        let workspace = two_packages();
        let crashed = |tool: &str| match tool {
            "lint@full" => Status::Crashed("SIGSEGV".to_owned()),
            _ => Status::Clean,
        };
        let plan = planned(&workspace, in_variants(&lint(), &[("default", &[]), ("full", &[])]));
        let with_crash = ledger(&workspace, &plan, &crashed);
        assert!(!with_crash.looked_at("lint", &test("a", Some(&["gone"]))));
        // A variant that is not selected still exists.
        let all = in_variants(&lint(), &[("default", &[]), ("full", &[])]);
        let plan = planned(&workspace, all[..1].to_vec());
        let partial = ledger(&workspace, &plan, &clean);
        assert!(!partial.looked_at("lint", &test("a", Some(&["full"]))));
        // No tool has variants any more.
        let plan = planned(&workspace, vec![lint()]);
        let single = ledger(&workspace, &plan, &clean);
        assert!(single.looked_at("lint", &test("a", Some(&["full"]))));
        assert!(single.looked_at_in("lint", &test("a", Some(&["full"])), "full"));
    }

    #[test]
    fn a_variant_without_the_package_has_not_looked_and_need_not_look() {
        let workspace = two_packages();
        let plan = planned(&workspace, in_variants(&tests(), &[("default", &[]), ("part", &["a"])]));
        let ledger = ledger(&workspace, &plan, &clean);
        assert!(!ledger.looked_at("test", &test("a t", Some(&["part"]))));
        assert!(!ledger.looked_at_in("test", &test("a t", Some(&["part"])), "part"));
        assert!(ledger.looked_at("test", &test("b t", Some(&["part"]))));
        assert!(ledger.looked_at("test", &test("a t", Some(&["default"]))));
        assert!(ledger.looked_at("test", &test("a t", None)));
    }

    #[test]
    fn a_build_that_leaves_out_the_target_of_a_test_need_not_look() {
        let mut workspace = two_packages();
        workspace.packages[0].targets[0].needs_features = true;
        let plan = planned(&workspace, in_variants(&tests(), &[("default", &[]), ("full", &[])]));
        let skipped = |names: &'static [&str]| {
            move |tool: &str| match names.contains(&tool) {
                true => Status::Skipped("requires features".to_owned()),
                false => Status::Clean,
            }
        };
        let only_full = ledger(&workspace, &plan, &skipped(&["test"]));
        assert!(only_full.looked_at("test", &test("a t", Some(&["full"]))));
        assert!(only_full.looked_at("test", &test("a t", None)));
        assert!(!only_full.looked_at("test", &test("a t", Some(&["default"]))));
        assert!(!only_full.looked_at("test", &test("b t", Some(&["full"]))), "its target needs no features");
        let neither = ledger(&workspace, &plan, &skipped(&["test", "test@full"]));
        assert!(!neither.looked_at("test", &test("a t", Some(&["full"]))));
        assert!(!neither.looked_at("test", &test("a t", None)));
    }

    #[test]
    fn a_variant_that_has_no_result_has_not_looked() {
        let workspace = two_packages();
        let plan = planned(&workspace, in_variants(&tests(), &[("default", &[]), ("full", &[])]));
        let crashed = |tool: &str| match tool {
            "test@full" => Status::Crashed("SIGSEGV".to_owned()),
            _ => Status::Clean,
        };
        let ledger = ledger(&workspace, &plan, &crashed);
        for variants in [None, Some(&["default"][..]), Some(&["full"]), Some(&["default", "full"])] {
            assert!(!ledger.looked_at("test", &test("a t", variants)), "{variants:?}");
        }
    }

    #[test]
    fn an_entry_without_a_list_may_hold_in_each_variant_that_has_its_test() {
        let mut workspace = two_packages();
        workspace.packages[1].targets[0].needs_features = true;
        let variants: [(&str, &[&str]); 3] = [("default", &[]), ("full", &[]), ("part", &["a"])];
        let plan = planned(&workspace, in_variants(&tests(), &variants));
        let skips = |tool: &str| match tool {
            "test" => Status::Skipped("requires features".to_owned()),
            _ => Status::Clean,
        };
        let of = |ledger: &Ledger<'_>, name: &str| ledger.variants("test", &test(name, None)).join(" ");
        assert_eq!(of(&ledger(&workspace, &plan, &clean), "a t"), "default full");
        assert_eq!(of(&ledger(&workspace, &plan, &clean), "b t"), "default full part");
        assert_eq!(of(&ledger(&workspace, &plan, &skips), "b t"), "full part");
    }

    #[test]
    fn only_an_accepted_lint_about_code_holds_in_all_variants() {
        let workspace = two_packages();
        let other = Tool { namespaces: vec!["other".to_owned()], ..tool("other", Parse::Lines, &["run"]) };
        let tools = [lint(), other].map(|tool| in_variants(&tool, &[("default", &[]), ("full", &[])]));
        let plan = planned(&workspace, tools.concat());
        let crashed = |tool: &str| match tool.ends_with("@full") {
            true => Status::Crashed("SIGSEGV".to_owned()),
            false => Status::Clean,
        };
        let ledger = ledger(&workspace, &plan, &crashed);
        let code = || Site::Path(RelPath::new("a/src/lib.rs"));
        let variants = |ns: &str, site: Site| ledger.variants(ns, &entry(site, None)).join(" ");
        assert_eq!(variants("lint", code()), "");
        for (ns, site) in [
            ("other", code()),
            ("other", Site::Subject("x".to_owned())),
            ("lint", Site::Subject("x".to_owned())),
        ] {
            assert_eq!(variants(ns, site), "default full", "{ns}");
        }
    }

    #[test]
    fn a_suppression_matches_nothing_only_if_all_variants_of_its_tool_looked() {
        let workspace = two_packages();
        let all = in_variants(&lint(), &[("default", &[]), ("full", &[])]);
        let looked = |tools: &[Tool], name: &str| {
            let suppression = Suppression {
                rule: None,
                tool: Some(name.to_owned()),
                path: None,
                subject: None,
                message: None,
                reason: "r".to_owned(),
                owner: None,
                expires: None,
                file: "f".into(),
                line: 1,
            };
            let plan = planned(&workspace, tools.to_vec());
            ledger(&workspace, &plan, &clean).has_looked(&suppression)
        };
        assert!(looked(&all, "lint"));
        assert!(!looked(&all[..1], "lint"));
        assert!(!looked(&all[1..], "lint"));
        assert!(looked(&all[1..], "lint@full"), "it applies to this variant alone");
    }
}
