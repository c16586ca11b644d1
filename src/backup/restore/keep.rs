//! A dump restored to be worked with: the server stays until it is dropped.

use std::sync::Arc;

use crate::backup::archive::Archive;
use crate::postgres::cluster::ScratchCluster;

use super::plan::Plan;
use super::target::Target;
use super::{Options, RestoreFailure, Restored, fill, plan_of};

/// A scratch cluster with the dump's databases in it. Dropping it removes the cluster.
pub struct Kept {
    plan: Plan,
    target: Target,
    cluster: Arc<ScratchCluster>,
}

/// Restores `archive` into a scratch cluster and leaves it there. Nothing is compared.
///
/// # Errors
/// When it could not be tried; what goes wrong inside the restore is in what is returned.
pub fn restore(archive: &Archive, options: &Options) -> Result<(Restored, Kept), RestoreFailure> {
    let plan = plan_of(archive);
    let options = Options { url: None, ..options.clone() };
    let mut target = Target::prepare(&plan, &options)?;
    let (restored, _) = fill(archive, &plan, &mut target, &options)?;
    match target.cluster().cloned() {
        Some(cluster) => Ok((restored, Kept { plan, target, cluster })),
        // Without a URL the target is a scratch cluster.
        None => Err(RestoreFailure::Url("no scratch cluster".to_owned())),
    }
}

impl Kept {
    /// The server.
    pub fn cluster(&self) -> &Arc<ScratchCluster> {
        &self.cluster
    }

    /// The role that owns everything, no superuser.
    pub fn role(&self) -> &str {
        self.target.restorer()
    }

    /// The databases as they are called on the server: one, but for a dump of a whole cluster.
    pub fn databases(&self) -> Vec<String> {
        self.target.databases().map(|name| self.target.database(name).to_owned()).collect()
    }

    /// Restores the dump anew, into a database of its own called `database`; `None` for a dump of a whole cluster,
    /// which names its databases itself.
    ///
    /// # Errors
    /// As [`restore`].
    pub fn again(
        &self,
        archive: &Archive,
        database: &str,
        options: &Options,
    ) -> Result<Option<Restored>, RestoreFailure> {
        if self.target.databases().any(|name| !name.is_empty()) {
            return Ok(None);
        }
        let Some(mut target) = self.target.beside(&self.plan, database)? else { return Ok(None) };
        Ok(Some(fill(archive, &self.plan, &mut target, options)?.0))
    }
}
