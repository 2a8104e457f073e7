//! The pages of errors: `errors/pages/CODE.txt` is the reason and what it means, a line each; together with the template
//! and the style it becomes one page, whole, since a client that got an error may not get a second response. A file that is
//! added there shows once this one is compiled again.

use include_dir::{Dir, File, include_dir};
use std::path::Path;
use std::{fs, io};

static ERRORS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/errors");

/// Writes each page, and `errors.rs` with an array of (status code, page).
pub fn write(folder: &Path) -> io::Result<()> {
    let (template, style) = (text("error.html")?, text("error.css")?);
    let mut table = String::from("[");
    for file in ERRORS.get_dir("pages").into_iter().flat_map(Dir::files) {
        let code = file.path().file_stem().and_then(|code| code.to_str()).unwrap_or_default();
        let mut lines = contents(file)?.lines();
        let page = template
            .replace("{code}", code)
            .replace("{reason}", lines.next().unwrap_or_default())
            .replace("{explanation}", lines.next().unwrap_or_default())
            .replace("{style}", style);
        let path = folder.join(format!("{code}.html"));
        fs::write(&path, page)?;
        table += &format!("({code:?}, include_str!({path:?})), ");
    }
    fs::write(folder.join("errors.rs"), table + "]")
}

fn text(name: &str) -> io::Result<&'static str> {
    contents(ERRORS.get_file(name).ok_or_else(|| io::Error::other(format!("errors/{name} is missing")))?)
}

fn contents(file: &'static File<'static>) -> io::Result<&'static str> {
    let name = file.path().display();
    file.contents_utf8().ok_or_else(|| io::Error::other(format!("errors/{name} is not UTF-8")))
}
