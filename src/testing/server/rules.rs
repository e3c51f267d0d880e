//! Rules that a test sets for requests: faults that are due, and rights.

use crate::testing::server::{
    fault::Fault,
    on::{On, RequestInfo},
};

/// The remaining faults, oldest first, each with the number of times that it is still to happen.
#[derive(Debug, Default)]
pub(super) struct Script {
    faults: Vec<(On, usize, Fault)>,
}

impl Script {
    pub(super) fn add(&mut self, on: On, times: usize, fault: Fault) {
        self.faults.push((on, times, fault));
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Returns how many times faults are still to happen.
    pub(super) fn left(&self) -> usize {
        self.faults.iter().fold(0, |left, (_, times, _)| left.saturating_add(*times))
    }

    /// Returns the fault for this request, if one is due, and decrements its count.
    pub(super) fn take(&mut self, request: &RequestInfo<'_>) -> Option<Fault> {
        self.faults.retain(|(_, times, _)| *times > 0);
        for (on, times, fault) in self.faults.iter_mut().filter(|(on, ..)| on.matches(request)) {
            if on.skip == 0 {
                *times -= 1;
                return Some(fault.clone());
            }
            on.skip -= 1;
        }
        None
    }
}

/// Granted and revoked rights, oldest first.
#[derive(Debug, Default)]
pub(super) struct Rights {
    rules: Vec<(On, bool)>,
}

impl Rights {
    pub(super) fn add(&mut self, on: On, allowed: bool) {
        self.rules.push((on, allowed));
    }

    pub(super) fn permit(&self, request: &RequestInfo<'_>) -> bool {
        let newest = |request: &RequestInfo<'_>| {
            let mut rules = self.rules.iter().rev();
            rules.find(|(on, _)| on.matches(request)).is_none_or(|(_, allowed)| *allowed)
        };
        let is_across = request.namespaced && request.namespace.is_none();
        let mut namespaces = self.rules.iter().filter_map(|(on, _)| on.own_namespace());
        newest(request)
            && (!is_across
                || namespaces.all(|own| newest(&RequestInfo { namespace: Some(own), ..*request })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::server::{query::Query, verb::Verb};

    #[test]
    fn the_newest_rule_decides_and_all_namespaces_need_each_of_them() {
        let query = Query::default();
        let permits = |rules: &[(On, bool)], namespace| {
            Rights { rules: rules.to_vec() }.permit(&RequestInfo {
                verb: Verb::List,
                storage: "pods",
                plural: "pods",
                namespace,
                namespaced: true,
                query: &query,
            })
        };
        let b = || On::any().namespace("b");
        let mut rules = vec![(b(), false)];
        assert!(permits(&rules, Some("a")) && !permits(&rules, Some("b")));
        assert!(!permits(&rules, None), "without the right in b");
        rules.push((On::verb(Verb::List).namespace("b"), true));
        assert!(permits(&rules, Some("b")) && permits(&rules, None));
        rules.push((On::any(), false));
        rules.push((b(), true));
        assert!(permits(&rules, Some("b")) && !permits(&rules, Some("a")));
        assert!(!permits(&rules, None));
    }
}
