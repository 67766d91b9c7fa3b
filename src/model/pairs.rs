//! Serializes a map whose keys are not strings as a list of pairs, for JSON. Binary formats write the same bytes for both.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map)
}

pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Vec::deserialize(deserializer)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_format_has_the_bytes_of_a_map_and_json_can_hold_any_key() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Pairs(#[serde(with = "super")] BTreeMap<Option<u8>, String>);
        let map = BTreeMap::from([(None, "a".to_owned()), (Some(7), "b".to_owned())]);
        let pairs = Pairs(map.clone());
        assert_eq!(postcard::to_stdvec(&pairs).unwrap(), postcard::to_stdvec(&map).unwrap());
        let json = serde_json::to_string(&pairs).unwrap();
        assert_eq!(json, r#"[[null,"a"],[7,"b"]]"#);
        assert_eq!(serde_json::from_str::<Pairs>(&json).unwrap(), pairs);
    }
}
