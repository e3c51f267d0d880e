//! The files of a proxy.

use std::{io, path::Path};

use crate::render::Rendered;

/// Writes the files of `HAProxy`; the configuration last, and atomically.
pub(crate) fn write(output: &Path, rendered: &Rendered) -> io::Result<()> {
    let folder = output.join("certificates");
    private_folder(&folder)?;
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        if !rendered.certificates.contains_key(&*entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (name, pem) in &rendered.certificates {
        std::fs::write(folder.join(name), pem)?;
    }
    let new = output.join("haproxy.cfg.new");
    std::fs::write(&new, &rendered.config)?;
    std::fs::rename(new, output.join("haproxy.cfg"))
}

/// Creates a folder that is private, because its files contain keys.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
