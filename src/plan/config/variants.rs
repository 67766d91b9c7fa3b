//! The `[variants.NAME]` tables, and the `variants` of the tools: creates a tool for each pair of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeString;

use super::environment;
use super::reader::{ConfigReader, Value, sorted};
use super::suggest::suggestion;
use super::tool::{NAME_HELP, ToolEntry, is_name};
use super::{Config, ConfigFile, LockContext, combinations, dir, effects, locks, toolchain, workspaces};
use crate::model::error::{Problem, Problems};
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::powerset::Powerset;
use crate::model::tool::{Caching, Parse, Tool};
use crate::model::variant::{Variant, VariantLock};
use crate::model::workspace::{PackageId, Workspace};

/// Systems that `on` may name, as in `std::env::consts::OS`.
const SYSTEMS: [&str; 11] = [
    "android",
    "dragonfly",
    "freebsd",
    "haiku",
    "illumos",
    "ios",
    "linux",
    "macos",
    "netbsd",
    "openbsd",
    "windows",
];

/// Other names for keys of a variant, as in CI workflows and other tools.
const SYNONYMS: [(&str, &str); 9] = [
    ("channel", "toolchain"),
    ("depth", "powerset"),
    ("lockfile", "lock"),
    ("os", "on"),
    ("profile", "cargo-profile"),
    ("rust", "toolchain"),
    ("rust-version", "toolchain"),
    ("rustflags", "env"),
    ("skip", "powerset"),
];

/// A variant with the places of what the workspace must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredVariant {
    /// The variant.
    pub variant: Arc<Variant>,
    name: std::ops::Range<usize>,
    features: Vec<Spanned<String>>,
    packages: Vec<Spanned<String>>,
    powerset: Option<PowersetPlaces>,
    toolchain: Option<std::ops::Range<usize>>,
    lock: Option<std::ops::Range<usize>>,
    workspace: Option<std::ops::Range<usize>>,
    /// Name and text of the file.
    file: (Arc<str>, Arc<str>),
}

impl ConfiguredVariant {
    /// Creates a problem at `span` of its file.
    fn problem(&self, span: std::ops::Range<usize>, message: String, help: String) -> Problem {
        let (file, text) = self.file.clone();
        Problem { file, text, span: Some(span), message, help: Some(help) }
    }
}

/// Places of a powerset in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PowersetPlaces {
    /// Its value.
    value: std::ops::Range<usize>,
    skip: Vec<Spanned<String>>,
}

/// Reads the table of one variant.
pub(super) fn read(
    reader: &mut ConfigReader<'_>,
    name: &Spanned<DeString<'_>>,
    value: &Value<'_>,
    file: &ConfigFile,
) -> Option<ConfiguredVariant> {
    let text = name.get_ref().to_string();
    if text == Variant::DEFAULT {
        let message = "`default` is the build without a variant";
        reader.report_with(
            name.span(),
            message,
            "use another name; list `default` in the `variants` of a tool",
        );
    } else if !is_name(&text) {
        reader.report_with(name.span(), format!("invalid variant name `{text}`"), NAME_HELP);
    }
    let table = reader.table(value)?;
    let mut variant = Variant { name: text, ..Variant::default() };
    let mut keys = reader.keys(table);
    let features = keys.read("features", ConfigReader::strings).unwrap_or_default();
    let build = &mut variant.build;
    keys.set(&mut build.all_features, "all-features", ConfigReader::boolean);
    keys.set(&mut build.no_default_features, "no-default-features", ConfigReader::boolean);
    let mut packages = keys.read("packages", ConfigReader::strings).unwrap_or_default();
    build.packages = sorted(packages.iter().map(|name| name.get_ref().clone()).collect());
    let exclude = keys.read("exclude", ConfigReader::strings).unwrap_or_default();
    build.exclude = sorted(exclude.iter().map(|name| name.get_ref().clone()).collect());
    packages.extend(exclude);
    build.target = keys.read("target", ConfigReader::text);
    build.cargo_profile = keys.read("cargo-profile", ConfigReader::text);
    let toolchain = keys.read("toolchain", toolchain::read);
    keys.set(&mut variant.vars, "env", |reader, value| {
        let vars = environment::read(reader, value, &[])?;
        if vars.names.is_some() {
            let help = "a variant only sets variables; write `env = { NAME = \"value\" }`";
            reader.report_with(value.span(), "a variant can't list variables of the environment", help);
        }
        Some(vars.values)
    });
    let lock = keys.read("lock", dir::file);
    let workspace = keys.read("workspace", dir::workspace);
    let systems = keys.read("on", ConfigReader::strings);
    let each = keys.read("each-feature", ConfigReader::boolean).unwrap_or(false);
    let mut powerset = keys.read("powerset", powerset);
    keys.finish_with(&SYNONYMS);
    if let (true, Some(value)) = (each, table.get("each-feature")) {
        if powerset.is_some() {
            let help = "remove it; a powerset contains each feature";
            reader.report_with(value.span(), "`each-feature` has no effect together with `powerset`", help);
        } else {
            let places = PowersetPlaces { value: value.span(), skip: Vec::new() };
            powerset = Some((Powerset::of_each(), places));
        }
    }
    for key in ["all-features", "no-default-features"] {
        if let (Some(value), true) = (table.get(key), powerset.is_some()) {
            let message =
                format!("`{key}` has no effect, because the variant builds combinations of features");
            reader.report_with(value.span(), message, "remove it, or define another variant");
        }
    }
    let (toolchain, place) = toolchain.map(|name| (name.get_ref().clone(), name.span())).unzip();
    variant.toolchain = toolchain;
    let (lock, lock_place) = lock.map(|path| (path.get_ref().clone(), path.span())).unzip();
    variant.lock = lock.map(|path| VariantLock { path, digest: None });
    let (root, workspace) = workspace.map(|path| (path.get_ref().clone(), path.span())).unzip();
    variant.workspace = root;
    if let (Some(value), true) = (table.get("lock"), workspace.is_some()) {
        let message = "a variant with `workspace` can't have a `lock`";
        let help = "remove one of them; another workspace has its own `Cargo.lock`";
        reader.report_with(value.span(), message, help);
    }
    let (set, powerset) = powerset.unzip();
    variant.powerset = set;
    variant.build.features = sorted(features.iter().map(|name| name.get_ref().clone()).collect());
    if let (Some(systems), Some(on)) = (systems, table.get("on")) {
        if systems.is_empty() {
            reader.report_with(
                on.span(),
                "expected at least one system",
                "remove `on` to run on every system",
            );
        }
        for system in systems.iter().filter(|system| !SYSTEMS.contains(&system.get_ref().as_str())) {
            let help = suggestion(system.get_ref(), SYSTEMS, "systems");
            reader.report_with(system.span(), format!("unknown system `{}`", system.get_ref()), help);
        }
        variant.on = sorted(systems.into_iter().map(Spanned::into_inner).collect());
    }
    let file = (file.name.clone(), file.text.clone());
    Some(ConfiguredVariant {
        variant: Arc::new(variant),
        name: name.span(),
        features,
        packages,
        powerset,
        toolchain: place,
        lock: lock_place,
        workspace,
        file,
    })
}

/// Reads the combinations of features of a variant.
fn powerset(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<(Powerset, PowersetPlaces)> {
    let table = reader.table(value)?;
    let mut set = Powerset::default();
    let mut keys = reader.keys(table);
    set.depth = keys.read("depth", |reader, value| number(reader, value, 64));
    let skip = keys.read("skip", ConfigReader::strings).unwrap_or_default();
    keys.set(&mut set.max, "max", |reader, value| number(reader, value, 10_000));
    keys.finish();
    set.skip = sorted(skip.iter().map(|name| name.get_ref().clone()).collect());
    Some((set, PowersetPlaces { value: value.span(), skip }))
}

/// Reads a number from 1 to `most`.
fn number(reader: &mut ConfigReader<'_>, value: &Value<'_>, most: u64) -> Option<u32> {
    reader.integer(value, 1..=most).and_then(|number| number.try_into().ok())
}

/// Reports variants that no tool uses.
pub(super) fn check(
    reader: &mut ConfigReader<'_>,
    variants: &BTreeMap<String, ConfiguredVariant>,
    tools: &BTreeMap<String, ToolEntry>,
) {
    for (name, one) in variants {
        let is_used = |entry: &ToolEntry| entry.tool.variants.iter().any(|own| own == name);
        // A tool can't name the others.
        let can_be_used = *name != Variant::DEFAULT && is_name(name);
        if can_be_used && !tools.values().any(is_used) {
            let message = format!("no tool runs the variant `{name}`");
            let help =
                format!("write `variants = [\"default\", \"{name}\"]` under [tools.test], for example");
            reader.report_with(one.name.clone(), message, help);
        }
    }
}

/// Reports names of variants of `tool` that do not exist or have no effect. `given` are those in the file.
pub(super) fn check_tool(
    reader: &mut ConfigReader<'_>,
    variants: &BTreeMap<String, ConfiguredVariant>,
    tool: &Tool,
    given: &[Spanned<String>],
) {
    let mut seen = BTreeSet::new();
    for name in given {
        let text = name.get_ref();
        if !seen.insert(text) {
            reader.report_with(name.span(), format!("`{text}` is listed twice"), "remove one of them");
        } else if text != Variant::DEFAULT && !variants.contains_key(text) {
            let known = variants.keys().map(String::as_str).chain([Variant::DEFAULT]);
            let help = suggestion(text, known, "variants");
            reader.report_with(name.span(), format!("unknown variant `{text}`"), help);
        }
    }
    if let (Some(first), true) = (given.first(), tool.states_numbers()) {
        let message = format!(
            "`{}` has numbers that may only get better, and each variant would have its own",
            tool.name
        );
        reader.report_with(first.span(), message, "remove `ratchet`, or measure in a tool of its own");
    }
    let first = |has: fn(&Variant) -> bool| {
        given.iter().find(|name| variants.get(name.get_ref()).is_some_and(|one| has(&one.variant)))
    };
    let variant = |name: &Spanned<String>| variants.get(name.get_ref()).map(|one| &*one.variant);
    let is_changed_by = |name: &Spanned<String>| variant(name).is_some_and(|of| effects::has_some(tool, of));
    if let Some(first) = first(|variant| variant.powerset.is_some()).filter(|first| is_changed_by(first)) {
        combinations::check_tool(reader, tool, first);
    }
    effects::check(reader, tool, given.iter().filter_map(|name| Some((name, variant(name)?))));
    if let Some(first) = first(|variant| variant.lock.is_some()) {
        locks::check_tool(reader, tool, first);
    }
    if let Some(first) = first(|variant| variant.workspace.is_some()) {
        workspaces::check_tool(reader, tool, first);
    }
    let of_toolchain = first(|variant| variant.toolchain.is_some());
    if let Some(first) = of_toolchain.filter(|first| is_changed_by(first)) {
        toolchain::check(reader, tool, first);
    }
}

impl Config {
    /// Returns the roots of the other workspaces that variants build.
    pub fn workspaces(&self) -> Vec<RelPath> {
        self.variants.iter().filter_map(|one| one.variant.workspace.clone()).collect()
    }

    /// Returns a tool for each pair of tool and variant, sorted by name. Tools that build what others run are created for each
    /// variant of those.
    pub fn planned(&self, workspace: &Workspace) -> Vec<Tool> {
        let variants =
            self.variants.iter().map(|one| (one.variant.name.clone(), with_toolchains(one, workspace)));
        let variants: BTreeMap<_, _> = variants.collect();
        let name = |name: &String| match variants.get(name) {
            Some(all) => all.iter().map(|variant| variant.name.clone()).collect(),
            None => vec![name.clone()],
        };
        let tool =
            |tool: &Tool| Tool { variants: tool.variants.iter().flat_map(name).collect(), ..tool.clone() };
        let tools: Vec<_> = self.tools.iter().map(tool).collect();
        let variants = variants.values().flatten().map(|variant| (variant.name.clone(), variant)).collect();
        expand(&tools, &variants)
    }
}

/// Returns the variants that a configured one stands for: itself, or one for each `rust-version` of its packages. Packages without
/// one are left out.
fn with_toolchains(one: &ConfiguredVariant, workspace: &Workspace) -> Vec<Arc<Variant>> {
    let variant = &locks::with_digest(&one.variant, workspace);
    if variant.toolchain.as_deref() != Some(Variant::RUST_VERSION) {
        return vec![Arc::clone(variant)];
    }
    let packages = packages_of(variant, workspace);
    let mut by_version: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages.iter().map(|id| workspace.package(*id)) {
        if let Some(version) = package.rust_version() {
            by_version.entry(version).or_default().push(package.cargo_name().to_owned());
        }
    }
    let is_one = by_version.len() == 1;
    let of_version = |(version, names): (&str, Vec<String>)| {
        let build = match names.len() == packages.len() {
            true => variant.build.clone(),
            false => Selection { packages: sorted(names), exclude: Vec::new(), ..variant.build.clone() },
        };
        Arc::new(Variant {
            name: if is_one { variant.name.clone() } else { format!("{}-{version}", variant.name) },
            configured: (!is_one).then(|| variant.name.clone()),
            toolchain: Some(version.to_owned()),
            build,
            ..(**variant).clone()
        })
    };
    by_version.into_iter().map(of_version).collect()
}

fn expand(all: &[Tool], variants: &BTreeMap<String, &Arc<Variant>>) -> Vec<Tool> {
    let tools: BTreeMap<_, _> = all.iter().map(|tool| (tool.name.as_str(), tool)).collect();
    let own = |tool: &Tool| match tool.variants.is_empty() {
        true => BTreeSet::from([Variant::DEFAULT.to_owned()]),
        false => tool.variants.iter().cloned().collect(),
    };
    let mut wanted: BTreeMap<_, BTreeSet<String>> =
        all.iter().map(|tool| (tool.name.clone(), own(tool))).collect();
    let mut queue: Vec<_> = wanted
        .iter()
        .flat_map(|(name, variants)| variants.iter().map(|variant| (name.clone(), variant.clone())))
        .collect();
    let is_builder = |need: &String| tools.get(need.as_str()).is_some_and(|tool| builds_for_others(tool));
    // Each combination of features is built by the process that needs it.
    let builds_itself =
        |variant: &String| variants.get(variant).is_some_and(|variant| variant.powerset.is_some());
    while let Some((name, variant)) = queue.pop() {
        let needs = tools.get(name.as_str()).into_iter().flat_map(|tool| &tool.needs);
        for need in needs.filter(|need| is_builder(need) && !builds_itself(&variant)) {
            if wanted.entry(need.clone()).or_default().insert(variant.clone()) {
                queue.push((need.clone(), variant.clone()));
            }
        }
    }
    let mut planned = Vec::new();
    for (name, of_tool) in &wanted {
        let Some(tool) = tools.get(name.as_str()) else { continue };
        let has_several = of_tool.iter().any(|variant| variant != Variant::DEFAULT);
        let names: Vec<_> = of_tool.iter().filter(|_| has_several).cloned().collect();
        planned.extend(of_tool.iter().map(|variant| {
            let names = names.clone();
            let needs = tool.needs.iter().filter(|need| !(is_builder(need) && builds_itself(variant)));
            let needs = needs.flat_map(|need| needed(need, variant, &wanted));
            let needs = sorted(needs.collect());
            match variants.get(variant) {
                Some(of) => Tool { needs, variants: names, ..with_variant(tool, of) },
                None => Tool { needs, variants: names, ..(*tool).clone() },
            }
        }));
    }
    planned.sort_by(|a, b| a.name.cmp(&b.name));
    planned
}

/// Returns the names of the tools that stand for `need` of a tool of `variant`: the same variant if there is one, else the
/// default build, else all variants.
fn needed(need: &str, variant: &str, wanted: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let Some(of_need) = wanted.get(need) else { return vec![need.to_owned()] };
    match [variant, Variant::DEFAULT].into_iter().find(|name| of_need.contains(*name)) {
        Some(name) => vec![name_of(need, name)],
        None => of_need.iter().map(|name| name_of(need, name)).collect(),
    }
}

fn name_of(tool: &str, variant: &str) -> String {
    match variant {
        Variant::DEFAULT => tool.to_owned(),
        variant => format!("{tool}{}{variant}", Variant::SEPARATOR),
    }
}

fn builds_for_others(tool: &Tool) -> bool {
    tool.parse == Parse::CargoBuild && tool.takes_variants()
}

fn with_variant(tool: &Tool, variant: &Arc<Variant>) -> Tool {
    let vars =
        tool.vars.iter().chain(&variant.vars).map(|(name, value)| (name.clone(), value.clone())).collect();
    let tool = match &variant.powerset {
        Some(_) => combinations::with(tool.clone()),
        None => tool.clone(),
    };
    let tool = match &variant.toolchain {
        Some(name) => toolchain::with(tool, name),
        None => tool,
    };
    // What an observed process reads in a copy of the repository is not known by the names of the repository.
    let is_unknown = variant.lock.is_some() && tool.is_observed();
    Tool {
        name: name_of(&tool.name, &variant.name),
        cache: if is_unknown { Caching::Never } else { tool.cache },
        dir: variant.workspace.clone().or(tool.dir),
        inputs: workspaces::inputs(&tool.inputs, variant),
        variant: Some(Arc::clone(variant)),
        vars,
        ..tool
    }
}

/// Checks that `workspace` has the packages and features that `variants` name, that each of them is another build, and that `tools`
/// have something to build.
///
/// # Errors
///
/// Every name that it does not have, a lock file that can't be used, and each variant that builds the same as another one, with its line.
pub fn check_variants(
    variants: &[ConfiguredVariant],
    tools: &[Tool],
    workspace: &Workspace,
    context: &LockContext,
) -> Result<(), Problems> {
    let mut problems = Vec::new();
    let first = variants.iter().find_map(|one| Some((one, one.workspace.clone()?)));
    if let Some((first, place)) = first
        && let Some((message, help)) = workspaces::without_root(&first.variant, tools, workspace)
    {
        problems.push(first.problem(place, message, help));
    }
    for one in variants {
        let mut report = |span, message, help| problems.push(one.problem(span, message, help));
        if let Some((message, help)) = workspaces::problem(&one.variant, workspace) {
            problems.push(one.problem(one.workspace.clone().unwrap_or_default(), message, help));
            continue;
        }
        let own = workspace.packages_in(one.variant.workspace.as_ref());
        let names: Vec<_> = own.map(|(_, package)| package.cargo_name()).collect();
        for package in one.packages.iter().filter(|name| !names.contains(&name.get_ref().as_str())) {
            let message = format!("no package named `{}` in this workspace", package.get_ref());
            report(package.span(), message, suggestion(package.get_ref(), names.iter().copied(), "packages"));
        }
        let selected: Vec<_> = packages_of(&one.variant, workspace);
        if selected.is_empty() && !names.is_empty() {
            let message = format!("the variant `{}` has no packages", one.variant.name);
            report(
                one.name.clone(),
                message,
                "remove names from `exclude`, or add some to `packages`".to_owned(),
            );
        }
        let has_version = selected.iter().any(|id| workspace.package(*id).rust_version().is_some());
        if let (Some(span), false) = (&one.toolchain, has_version)
            && one.variant.toolchain.as_deref() == Some(Variant::RUST_VERSION)
        {
            let message = format!("no package of the variant `{}` has a `rust-version`", one.variant.name);
            let help =
                "set `rust-version` in a `Cargo.toml`, or name a toolchain, such as `toolchain = \"1.85\"`";
            report(span.clone(), message, help.to_owned());
        }
        for feature in &one.features {
            let text = feature.get_ref();
            let (package, name) = text.split_once('/').unwrap_or(("", text));
            let package = package.trim_end_matches('?');
            let is_meant =
                |of: &&PackageId| package.is_empty() || workspace.package(**of).cargo_name() == package;
            if !package.is_empty() && !selected.iter().any(|of| is_meant(&of)) {
                // A feature of a dependency, which only cargo knows.
                continue;
            }
            let features = || {
                let own =
                    selected.iter().filter(is_meant).flat_map(|of| workspace.package(*of).features.keys());
                own.map(String::as_str)
            };
            if !features().any(|known| known == name) {
                let known: BTreeSet<_> = features().collect();
                let message =
                    format!("no package of the variant `{}` has the feature `{text}`", one.variant.name);
                let words: Vec<_> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
                let help = match known.is_empty() {
                    true => "none of them has features; remove it".to_owned(),
                    false if words.len() > 1 => {
                        let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                        format!("write {}", words.join(", "))
                    }
                    false => suggestion(name, known, "features"),
                };
                report(feature.span(), message, help);
            }
        }
    }
    problems.extend(variants.iter().flat_map(|one| wrong_powersets(one, workspace)));
    problems.extend(same_builds(variants, workspace));
    problems.extend(variants.iter().filter_map(|one| {
        let (message, help) = locks::problem(&one.variant, workspace, context)?;
        Some(one.problem(one.lock.clone()?, message, help))
    }));
    problems.sort_by_key(|problem: &Problem| problem.span.as_ref().map(|span| span.start));
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Returns the mistakes in the combinations of features of a variant.
fn wrong_powersets(one: &ConfiguredVariant, workspace: &Workspace) -> Vec<Problem> {
    let (Some(powerset), Some(places)) = (&one.variant.powerset, &one.powerset) else { return Vec::new() };
    let packages = || packages_of(&one.variant, workspace).into_iter().map(|id| workspace.package(id));
    let known: BTreeSet<_> =
        packages().flat_map(|package| package.features.keys()).map(String::as_str).collect();
    let unknown = places.skip.iter().filter(|name| !known.contains(name.get_ref().as_str())).map(|name| {
        let message =
            format!("no package of the variant `{}` has the feature `{}`", one.variant.name, name.get_ref());
        one.problem(name.span(), message, suggestion(name.get_ref(), known.iter().copied(), "features"))
    });
    let mut problems: Vec<_> = unknown.collect();
    if known.iter().all(|name| powerset.skip.iter().any(|skipped| skipped == name)) {
        let message = format!("the variant `{}` has no features to combine", one.variant.name);
        let help = match known.is_empty() {
            true => "its packages have none; use `no-default-features = true`, or remove the variant",
            false => "remove names from `skip`",
        };
        problems.push(one.problem(places.value.clone(), message, help.to_owned()));
    }
    for package in packages() {
        if powerset.combinations(&package.features, &one.variant.build.features).is_err() {
            let message =
                format!("`{}` has more than {} combinations of features", package.name, powerset.max);
            let help = "lower `depth`, add names to `skip`, or raise `max` in \
                        `powerset = { depth = …, skip = […], max = … }`";
            problems.push(one.problem(places.value.clone(), message, help.to_owned()));
        }
    }
    problems
}

/// Returns a problem for each of `variants` that builds the same as one before it, or as the default build.
fn same_builds(variants: &[ConfiguredVariant], workspace: &Workspace) -> Vec<Problem> {
    // The packages are compared, and not their names: `packages` may list all, or `exclude` none.
    let resolved = |variant: &Variant| {
        let build = Selection { packages: Vec::new(), exclude: Vec::new(), ..variant.build.clone() };
        let Variant { vars, powerset, toolchain, .. } = variant;
        let lock = variant.lock.as_ref().map(|lock| lock.path.clone());
        let packages = (variant.workspace.clone(), packages_of(variant, workspace));
        (build, vars.clone(), packages, powerset.clone(), toolchain.clone(), lock)
    };
    let mut known = vec![(Variant::DEFAULT, resolved(&Variant::default()))];
    let mut problems = Vec::new();
    for one in variants {
        let build = resolved(&one.variant);
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == build) {
            let help = match *other {
                Variant::DEFAULT => {
                    "set features, packages, a target, a profile or variables, or list `default` instead"
                }
                _ => "remove one of them",
            };
            let message = format!("`{}` builds the same as `{other}`", one.variant.name);
            problems.push(one.problem(one.name.clone(), message, help.to_owned()));
        }
        known.push((&one.variant.name, build));
    }
    problems
}

/// Returns the packages of `variant`, sorted.
pub(in crate::plan) fn packages_of(variant: &Variant, workspace: &Workspace) -> Vec<PackageId> {
    let is_own = |name: &str| {
        let Selection { packages, exclude, .. } = &variant.build;
        let has = |names: &[String]| names.iter().any(|own| own == name);
        (packages.is_empty() || has(packages)) && !has(exclude)
    };
    let own = workspace.packages_in(variant.workspace.as_ref());
    let own = own.filter(|(_, package)| is_own(package.cargo_name()));
    own.map(|(id, _)| id).collect()
}
