//! Names become addresses here, and each address is judged before a connection is made to that very address: there is
//! no second look-up that could say something else.
//!
//! Most grants are origins that the user wrote, so a name may lead to a private or a loopback address; those that a
//! plugin brings along may not. Link-local addresses,
//! cloud metadata, multicast, broadcast and "this host" are nobody's backend: a name that leads there was bent. A
//! request to a literal address does not come by: it is granted only where the user wrote that address.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::grants::Reach;

/// Addresses at which clouds give out credentials, besides those that are link-local.
const METADATA: [IpAddr; 6] = [
    // Alibaba Cloud, Oracle Cloud, Azure's WireServer; AWS, its Pod Identity, Google Cloud.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// An address that no name may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prohibited {
    address: IpAddr,
    kind: &'static str,
}

impl fmt::Display for Prohibited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.kind)
    }
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The system knows none.
    #[error("cannot resolve {name}: {source}")]
    Lookup {
        /// What was looked up.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// All that it has are prohibited.
    #[error("{name} leads to {prohibited}")]
    Prohibited {
        /// What was looked up.
        name: String,
        /// One of its addresses.
        prohibited: Prohibited,
    },
}

/// The system's resolver, with its answers judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver(pub(super) Reach);

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self(reach) = *self;
        Box::pin(async move {
            // The port is the connector's to set.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(|source| ResolveError::Lookup { name: name.to_string(), source })?;
            permitted(found, name.as_str(), reach).map(Vec::into_iter)
        })
    }
}

fn permitted(
    found: impl Iterator<Item = SocketAddr>,
    name: &str,
    reach: Reach,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut prohibited = None;
    let mut judge = |address: &SocketAddr| judge(address.ip(), reach).map_err(|found| prohibited = Some(found)).is_ok();
    let addresses: Vec<_> = found.filter(|address| judge(address)).collect();
    match prohibited {
        Some(prohibited) if addresses.is_empty() => Err(ResolveError::Prohibited { name: name.to_owned(), prohibited }),
        _ => Ok(addresses),
    }
}

fn judge(address: IpAddr, reach: Reach) -> Result<(), Prohibited> {
    let plain = plain(address);
    let mut kind = match plain {
        plain if METADATA.contains(&plain) => "cloud metadata",
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    };
    if kind.is_empty() && reach == Reach::Public {
        kind = kind_of_own_network(plain);
    }
    if kind.is_empty() { Ok(()) } else { Err(Prohibited { address, kind }) }
}

fn kind_v4(address: Ipv4Addr) -> &'static str {
    match address.octets() {
        [0, ..] => "unspecified",
        [169, 254, 169, 254] => "cloud metadata",
        [169, 254, ..] => "link-local",
        [224..=239, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        _ => "",
    }
}

/// What is not of the public internet
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn kind_of_own_network(address: IpAddr) -> &'static str {
    match address {
        address if address.is_loopback() => "loopback",
        IpAddr::V4(address) => match address.octets() {
            [100, 64..=127, ..] => "shared by a provider's customers",
            [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => "reserved",
            _ if address.is_private() => "private",
            _ => "",
        },
        IpAddr::V6(address) if address.is_unique_local() => "private",
        IpAddr::V6(address) if matches!(address.segments(), [0xfec0..=0xfeff, ..]) => "private",
        IpAddr::V6(_) => "",
    }
}

fn kind_v6(address: Ipv6Addr) -> &'static str {
    if address.is_unspecified() {
        "unspecified"
    } else if address.is_unicast_link_local() {
        "link-local"
    } else if address.is_multicast() {
        "multicast"
    } else if matches!(address.segments(), [0x2001, 0, ..]) {
        "Teredo"
    } else {
        ""
    }
}

/// The IPv4 address that an IPv6 address stands for, where it does: mapped, compatible, translated (NAT64 of
/// RFC 6052, and of RFC 8215 with the address last), 6to4, ISATAP.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_judged() {
        for (address, kind) in [
            ("127.0.0.1", ""),
            ("10.1.2.3", ""),
            ("172.16.0.1", ""),
            ("192.168.1.1", ""),
            ("93.184.215.14", ""),
            ("::1", ""),
            ("fd12::1", ""),
            ("2606:2800:21f::1", ""),
            ("::ffff:10.0.0.1", ""),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("169.254.0.1", "link-local"),
            ("169.254.169.254", "cloud metadata"),
            ("100.100.100.200", "cloud metadata"),
            ("fd00:ec2::254", "cloud metadata"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("ff02::1", "multicast"),
            ("::ffff:169.254.169.254", "cloud metadata"),
            ("::ffff:169.254.1.1", "link-local"),
            ("::ffff:0.0.0.0", "unspecified"),
            ("::169.254.169.254", "cloud metadata"),
            ("64:ff9b::169.254.169.254", "cloud metadata"),
            ("2002:a9fe:a9fe::1", "cloud metadata"),
            ("64:ff9b:1::169.254.169.254", "cloud metadata"),
            ("64:ff9b:1:2::10.0.0.1", ""),
            ("fd12::5efe:169.254.169.254", "cloud metadata"),
            ("2001:0:a:b::1", "Teredo"),
            ("168.63.129.16", "cloud metadata"),
            ("fd00:ec2::23", "cloud metadata"),
            ("fd20:ce::254", "cloud metadata"),
        ] {
            let judged = judge(address.parse().unwrap(), Reach::Any).err().map_or("", |prohibited| prohibited.kind);
            assert_eq!(judged, kind, "{address}");
        }
    }

    #[test]
    fn prohibited_addresses_are_left_out_and_named_where_nothing_is_left() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = addresses(&["169.254.169.254:0", "10.0.0.1:0", "[fe80::1]:0"]);
        assert_eq!(permitted(mixed.into_iter(), "name", Reach::Any).unwrap(), addresses(&["10.0.0.1:0"]));
        let error = permitted(addresses(&["169.254.169.254:0"]).into_iter(), "bent.example", Reach::Any);
        assert_eq!(error.unwrap_err().to_string(), "bent.example leads to 169.254.169.254 (cloud metadata)");
    }

    #[test]
    fn what_nobody_wrote_leads_to_public_addresses_only() {
        for (address, kind) in [
            ("34.120.177.193", ""),
            ("2600:1901:0:b9b::", ""),
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
            ("10.1.2.3", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("::ffff:192.168.1.1", "private"),
            ("64:ff9b::10.0.0.1", "private"),
            ("fd12::1", "private"),
            ("fec0::1", "private"),
            ("100.64.0.1", "shared by a provider's customers"),
            ("198.18.0.1", "reserved"),
            ("240.0.0.1", "reserved"),
            ("169.254.169.254", "cloud metadata"),
        ] {
            let judged = judge(address.parse().unwrap(), Reach::Public).err().map_or("", |prohibited| prohibited.kind);
            assert_eq!(judged, kind, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_a_failed_lookup() {
        let error = Resolver(Reach::Any).call("no-such-name.invalid".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, ResolveError::Lookup { .. }), "{error}");
    }
}
