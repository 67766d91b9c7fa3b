//! Data types for the parts of SARIF's object model that are used. All other fields may be missing or `null`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifLog {
    pub(super) version: Option<String>,
    /// Required, because without it any JSON would be accepted. `null` means that the tool failed to run.
    pub(super) runs: Vec<SarifRun>,
    /// Parts of runs that are stored outside of them.
    pub(super) inline_external_properties: Option<Vec<SarifExternal>>,
}

/// Part of a run that is stored elsewhere.
#[derive(Deserialize)]
pub(super) struct SarifExternal {
    /// Read only to know whether there are any.
    results: Option<Vec<IgnoredAny>>,
}

impl SarifExternal {
    pub(super) fn has_results(&self) -> bool {
        self.results.as_ref().is_some_and(|results| !results.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifRun {
    pub(super) tool: SarifTool,
    pub(super) results: Option<Vec<SarifResult>>,
    pub(super) invocations: Option<Vec<SarifInvocation>>,
    /// Files that contain parts of the run.
    pub(super) external_property_file_references: Option<SarifExternal>,
    pub(super) original_uri_base_ids: Option<BTreeMap<String, ArtifactLocation>>,
    artifacts: Option<Vec<SarifArtifact>>,
}

impl SarifRun {
    /// Returns the rule of `result`, from the driver or an extension.
    pub(super) fn rule(&self, result: &SarifResult) -> Option<&SarifRule> {
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
pub(super) struct SarifTool {
    pub(super) driver: SarifComponent,
    extensions: Option<Vec<SarifComponent>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifComponent {
    rules: Option<Vec<SarifRule>>,
    pub(super) global_message_strings: Option<BTreeMap<String, SarifMessage>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifRule {
    pub(super) id: Option<String>,
    pub(super) message_strings: Option<BTreeMap<String, SarifMessage>>,
    pub(super) default_configuration: Option<SarifConfiguration>,
}

#[derive(Deserialize)]
pub(super) struct SarifConfiguration {
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
    pub(super) message: Option<SarifMessage>,
    pub(super) locations: Option<Vec<SarifLocation>>,
    pub(super) related_locations: Option<Vec<SarifLocation>>,
    suppressions: Option<Vec<SarifSuppression>>,
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
        let refused =
            |by: &SarifSuppression| matches!(by.status.as_deref(), Some("rejected" | "underReview"));
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
struct SarifSuppression {
    status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SarifMessage {
    pub(super) text: Option<String>,
    pub(super) id: Option<String>,
    pub(super) arguments: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifLocation {
    pub(super) physical_location: Option<PhysicalLocation>,
    pub(super) logical_locations: Option<Vec<LogicalLocation>>,
    pub(super) message: Option<SarifMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: Option<ArtifactLocation>,
    pub(super) region: Option<SarifRegion>,
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
struct SarifArtifact {
    location: Option<ArtifactLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifRegion {
    pub(super) start_line: Option<u32>,
    pub(super) start_column: Option<u32>,
    pub(super) end_line: Option<u32>,
    pub(super) end_column: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifInvocation {
    pub(super) execution_successful: Option<bool>,
    pub(super) exit_code_description: Option<String>,
    pub(super) exit_signal_name: Option<String>,
    pub(super) exit_signal_number: Option<i64>,
    pub(super) process_start_failure_message: Option<String>,
    tool_configuration_notifications: Option<Vec<SarifNotification>>,
    tool_execution_notifications: Option<Vec<SarifNotification>>,
}

impl SarifInvocation {
    /// Returns the errors that the tool reported about its own work.
    pub(super) fn errors(&self) -> impl Iterator<Item = &SarifNotification> {
        let all = [&self.tool_execution_notifications, &self.tool_configuration_notifications];
        let all = all.into_iter().flatten().flatten();
        all.filter(|notification| notification.level.as_deref() == Some("error"))
    }
}

#[derive(Deserialize)]
pub(super) struct SarifNotification {
    pub(super) level: Option<String>,
    pub(super) message: Option<SarifMessage>,
}
