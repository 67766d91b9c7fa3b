//! Data types for the parts of SARIF's object model that are used. All other fields may be missing or `null`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    pub(super) version: Option<String>,
    /// Required, because without it any JSON would be accepted. `null` means that the tool failed to run.
    pub(super) runs: Vec<Run>,
    /// Parts of runs that are stored outside of them.
    pub(super) inline_external_properties: Option<Vec<External>>,
}

/// Part of a run that is stored elsewhere.
#[derive(Deserialize)]
pub(super) struct External {
    /// Read only to know whether there are any.
    results: Option<Vec<IgnoredAny>>,
}

impl External {
    pub(super) fn has_results(&self) -> bool {
        self.results.as_ref().is_some_and(|results| !results.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) tool: Tool,
    pub(super) results: Option<Vec<SarifResult>>,
    pub(super) invocations: Option<Vec<Invocation>>,
    /// Files that contain parts of the run.
    pub(super) external_property_file_references: Option<External>,
    pub(super) original_uri_base_ids: Option<BTreeMap<String, ArtifactLocation>>,
    artifacts: Option<Vec<Artifact>>,
}

impl Run {
    /// Returns the rule of `result`, from the driver or an extension.
    pub(super) fn rule(&self, result: &SarifResult) -> Option<&Rule> {
        let reference = result.rule.as_ref();
        let extension = reference.and_then(|rule| rule.tool_component.as_ref()?.index);
        let component = match extension {
            Some(at) => at_index(self.tool.extensions.as_deref(), at)?,
            None => &self.tool.driver,
        };
        match result.rule_index.or_else(|| reference?.index) {
            Some(at) => at_index(component.rules.as_deref(), at),
            None => component.rules.iter().flatten().find(|rule| rule.id.as_deref() == result.rule_id()),
        }
    }

    pub(super) fn artifact(&self, at: i64) -> Option<&ArtifactLocation> {
        at_index(self.artifacts.as_deref(), at)?.location.as_ref()
    }
}

/// Returns the entry at an index. SARIF uses -1 for none.
fn at_index<T>(list: Option<&[T]>, at: i64) -> Option<&T> {
    list?.get(usize::try_from(at).ok()?)
}

#[derive(Deserialize)]
pub(super) struct Tool {
    pub(super) driver: Component,
    extensions: Option<Vec<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    rules: Option<Vec<Rule>>,
    pub(super) global_message_strings: Option<BTreeMap<String, Message>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) id: Option<String>,
    pub(super) message_strings: Option<BTreeMap<String, Message>>,
    pub(super) default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
pub(super) struct Configuration {
    pub(super) level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifResult {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<RuleReference>,
    pub(super) kind: Option<String>,
    pub(super) level: Option<String>,
    pub(super) message: Option<Message>,
    pub(super) locations: Option<Vec<Location>>,
    pub(super) related_locations: Option<Vec<Location>>,
    suppressions: Option<Vec<Suppression>>,
    pub(super) baseline_state: Option<String>,
}

impl SarifResult {
    /// Returns the rule id stated in the result itself.
    pub(super) fn rule_id(&self) -> Option<&str> {
        self.rule_id.as_deref().or_else(|| self.rule.as_ref()?.id.as_deref())
    }

    /// Returns whether it is suppressed and the suppression is not rejected or under review.
    pub(super) fn is_suppressed(&self) -> bool {
        let suppressions = self.suppressions.as_deref().unwrap_or_default();
        let refused = |by: &Suppression| matches!(by.status.as_deref(), Some("rejected" | "underReview"));
        !suppressions.is_empty() && !suppressions.iter().any(refused)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
    tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
struct ComponentReference {
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) text: Option<String>,
    pub(super) id: Option<String>,
    pub(super) arguments: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    pub(super) physical_location: Option<PhysicalLocation>,
    pub(super) logical_locations: Option<Vec<LogicalLocation>>,
    pub(super) message: Option<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: Option<ArtifactLocation>,
    pub(super) region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation {
    pub(super) name: Option<String>,
    pub(super) fully_qualified_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactLocation {
    pub(super) uri: Option<String>,
    pub(super) uri_base_id: Option<String>,
    pub(super) index: Option<i64>,
}

#[derive(Deserialize)]
struct Artifact {
    location: Option<ArtifactLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub(super) start_line: Option<u32>,
    pub(super) start_column: Option<u32>,
    pub(super) end_line: Option<u32>,
    pub(super) end_column: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub(super) execution_successful: Option<bool>,
    pub(super) exit_code_description: Option<String>,
    pub(super) exit_signal_name: Option<String>,
    pub(super) exit_signal_number: Option<i64>,
    pub(super) process_start_failure_message: Option<String>,
    tool_configuration_notifications: Option<Vec<Notification>>,
    tool_execution_notifications: Option<Vec<Notification>>,
}

impl Invocation {
    /// Returns the errors that the tool reported about its own work.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Notification> {
        let all = [&self.tool_execution_notifications, &self.tool_configuration_notifications];
        let all = all.into_iter().flatten().flatten();
        all.filter(|notification| notification.level.as_deref() == Some("error"))
    }
}

#[derive(Deserialize)]
pub(super) struct Notification {
    pub(super) level: Option<String>,
    pub(super) message: Option<Message>,
}
