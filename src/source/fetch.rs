//! Reading single objects, or many of a namespace at once.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use kube::{api::GetParams, core::Request, runtime::reflector::Lookup};

use tokio::time::Instant;

use super::{
    Watch,
    gvr::segment,
    query::{Part, Query, Stored, Witness},
    read::{Item, Unread},
    request::{ANSWER, RequestInfo, Verb},
    target::Target,
};
use crate::{clock::after, document::ObjectMetaRef, error::Error, measure, origin::Origin};

/// The page size of a list, as in client-go.
const PAGE: usize = 500;

/// A reader of the objects of a resource.
pub(crate) struct Fetcher<K>(Query<K>);

/// An object, and the length of its JSON.
pub(crate) struct Fetched<K> {
    pub(crate) object: Arc<K>,
    pub(crate) bytes: usize,
}

impl<K> Watch<K> {
    /// Returns a reader of this watch's resource, which reads objects as the watch would.
    pub(crate) fn fetcher(mut self) -> Fetcher<K> {
        self.query.endpoint.requests = measure::Requests::of_fetch(&self.query.origin);
        Fetcher(self.query)
    }
}

impl<K> Fetcher<K> {
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }
}

impl<K: Lookup> Fetcher<K> {
    /// Reads an object: its newest version, or with `not_before` a version that is not older.
    pub(crate) async fn get(
        &self,
        namespace: &str,
        name: &str,
        not_before: Option<&str>,
    ) -> Result<Fetched<K>, Error> {
        let params = GetParams { resource_version: not_before.map(str::to_owned) };
        let target = Target::of_objects_in(namespace);
        let resolved = self.0.resolved().await?;
        let url = self.0.url(&resolved, target.collection.namespace());
        let request = Request::new(url).get(&segment(name), &params);
        let info =
            RequestInfo { name: Some(name.to_owned()), ..self.0.request_info(Verb::Get, &target) };
        let mut incoming = self.0.endpoint.open(info, request, ANSWER).await?;
        let bytes = incoming.up_to(usize::MAX, after(Instant::now(), ANSWER)).await?;
        let Ok(json) = str::from_utf8(bytes).map(str::to_owned) else {
            return Err(incoming.broken("the answer is not UTF-8"));
        };
        let object = match self.0.decode(&json, true, &self.0.expected(&resolved)) {
            Ok(object) => object,
            Err(Unread::OtherKind) => {
                return Err(incoming.broken("the answer is an object of another kind"));
            }
            // Its metadata names it, so it arrived completely.
            Err(Unread::Undecodable(cause))
                if cause.is_data() && ObjectMetaRef::of(&json).is_ok() =>
            {
                return Err(Error::undecodable(namespace, name, &cause));
            }
            Err(Unread::Undecodable(_)) => {
                return Err(incoming.broken("the answer is not an object"));
            }
        };
        let is_it = |own: Option<Cow<'_, str>>, wanted| own.unwrap_or_default() == wanted;
        let is_own = is_it(object.name(), name) && is_it(object.namespace(), namespace);
        if !is_own || object.resource_version().is_none() {
            return Err(incoming.broken("the answer is another object, or has no version"));
        }
        Ok(Fetched { object: Arc::new(object), bytes: json.len() })
    }

    /// Reads the objects of a namespace that have these names from a list. It reads no more than twice as
    /// many objects, because others may precede them. Objects that can't be decoded are left out.
    pub(crate) async fn list(
        &self,
        namespace: &str,
        names: HashSet<String>,
        mut found: impl FnMut(Fetched<K>),
    ) -> Result<(), Error> {
        let mut left = names.len().saturating_mul(2);
        let page_size = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
        let mut query = self.0.clone();
        query.page_size = page_size;
        query.stored = Some(Arc::new(Others(names)));
        let target = Target::of_objects_in(namespace);
        let resolved = query.resolved().await?;
        let mut next: Option<String> = None;
        loop {
            let mut page = query.page(&target, &resolved, Part::Page(next.as_deref())).await?;
            let read = |bytes: &[u8], expected: &_| {
                query.item(bytes, expected, &target).map(|(item, end)| ((item, end), end))
            };
            while let Some((item, bytes)) = page.item(read).await? {
                left = left.saturating_sub(1);
                match item {
                    Item::Object(object) => found(Fetched { object: Arc::new(object), bytes }),
                    Item::Foreign(why) => return Err(query.foreign(&target, why)),
                    Item::Known { .. } | Item::LeftOut | Item::Undecodable(_) => {}
                }
            }
            next = page.next().filter(|_| left > 0);
            if next.is_none() {
                return Ok(());
            }
        }
    }
}

/// A store that claims to have all names but these, so that only these are decoded.
struct Others(HashSet<String>);

impl Stored for Others {
    fn is_empty(&self) -> bool {
        false
    }

    fn has(&self, meta: &ObjectMetaRef<'_>) -> bool {
        !self.0.contains(meta.name)
    }

    fn newest(&self, _: Option<&str>, _: usize) -> Vec<Witness> {
        Vec::new()
    }
}
