//! The XML of AWS's Query protocol.

/// Reads an XML response. `None` if it is not XML, or if `read` misses something.
pub(super) fn document<T>(body: &[u8], read: impl FnOnce(&roxmltree::Document<'_>) -> Option<T>) -> Option<T> {
    read(&roxmltree::Document::parse(std::str::from_utf8(body).ok()?).ok()?)
}

/// The first element of this name. The namespace is not compared.
pub(super) fn find<'a, 'input>(node: roxmltree::Node<'a, 'input>, name: &str) -> Option<roxmltree::Node<'a, 'input>> {
    node.descendants().find(|node| node.tag_name().name() == name)
}

/// The text of a child.
pub(super) fn text(node: roxmltree::Node<'_, '_>, name: &str) -> Option<String> {
    node.children().find(|child| child.tag_name().name() == name)?.text().map(str::to_owned)
}
