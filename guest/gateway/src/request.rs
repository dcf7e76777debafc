//! What a request says before its body.

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Head {
    /// In capitals.
    pub method: String,
    /// Without the query.
    pub path: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// Of a path with or without its query; a header's name may be in any case.
    pub fn new<N: AsRef<str>, V: AsRef<[u8]>>(method: &str, path: &str, headers: &[(N, V)]) -> Self {
        let path = path.split_once('?').map_or(path, |(path, _query)| path);
        let lower = |(name, value): &(N, V)| (name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec());
        Self { method: method.to_owned(), path: path.to_owned(), headers: headers.iter().map(lower).collect() }
    }

    /// The values of a header, which is named in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, where it is text.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        std::str::from_utf8(self.all(name).next()?).ok()
    }
}
