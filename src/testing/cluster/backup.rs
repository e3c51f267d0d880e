//! Backups of etcd's data, and restores.

use std::{fs, io, path::Path};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::{Cluster, Error, pair::Pair};

/// State of a [`Cluster`] at the time of [`Cluster::backup`]. Dropping it removes its files.
#[derive(Debug)]
pub struct Backup {
    folder: TempDir,
}

impl Cluster {
    /// Copies the data of etcd. Both programs are stopped meanwhile, so watches end.
    ///
    /// # Errors
    ///
    /// If a program does not stop or start, or the files cannot be copied. Both programs may then
    /// be stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, both programs may stay stopped, while the files are still copied.
    pub async fn backup(&self) -> Result<Backup, Error> {
        let folder = tempfile::Builder::new().prefix("backup-").tempdir_in(self.site.folder());
        let folder = folder.map_err(Error::io("cannot make a folder for the backup"))?;
        let (data, copy) = (self.site.data(), folder.path().join("etcd"));
        self.while_stopped("copy the data of etcd", move || copy_folder(&data, &copy)).await?;
        Ok(Backup { folder })
    }

    /// Restores the cluster from a backup, as after a disaster. All later
    /// writes are lost, and the resourceVersions of new writes go back: they repeat numbers that
    /// clients have seen on other objects. Both programs are stopped meanwhile, so watches end.
    ///
    /// A program that was not running is not started.
    ///
    /// # Errors
    ///
    /// If the backup is of another cluster, a program does not stop or start, or the files cannot
    /// be copied. Both programs may then be stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, both programs may stay stopped, while the files are still copied.
    pub async fn restore(&self, backup: &Backup) -> Result<(), Error> {
        if backup.folder.path().parent() != Some(self.site.folder()) {
            return Err(Error::other("the backup is of another cluster"));
        }
        let (data, copy) = (self.site.data(), backup.folder.path().join("etcd"));
        let partial = self.site.path("etcd-restored");
        let replace = move || {
            copy_folder(&copy, &partial)?;
            fs::remove_dir_all(&data)?;
            fs::rename(&partial, &data)
        };
        self.while_stopped("restore the data of etcd", replace).await
    }

    /// Stops the programs, works on the files of etcd, and restarts the programs that were running.
    async fn while_stopped(
        &self,
        what: &str,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let mut pair = self.pair.lock().await;
        let Pair { apiserver, etcd, .. } = &*pair;
        let (had_apiserver, had_etcd) = (apiserver.is_some(), etcd.is_some());
        pair.stop_both().await?;
        let done = spawn_blocking(work).await;
        let done = done.map_err(|cause| Error::other(format!("cannot {what}")).caused_by(cause))?;
        done.map_err(Error::io(format!("cannot {what}")))?;
        if had_etcd {
            self.start_etcd_of(&mut pair).await?;
        }
        if had_apiserver {
            self.start_apiserver_of(&mut pair).await?;
        }
        Ok(())
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_has_all_files_and_the_same_rights() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("member/wal")).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(from.join("member/wal/1.wal"), "log").unwrap();
        copy_folder(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("member/wal/1.wal")).unwrap(), "log");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
