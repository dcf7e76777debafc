//! The same checks on each server, one shared node of each: a check has an index prefix of its own, and leaves the
//! node's settings as they were.

use std::ops::Deref;

use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_sdk::PublishError;
use serde_json::{Value, json};
use support::Server;
use support::search::{Lease, Node};

use super::open_at;

/// A server with its shared node.
pub(super) struct Engine {
    server: Server,
    node: Lease,
}

impl Deref for Engine {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Engine {
    /// `None`: the server is not there.
    pub(super) fn of(server: Server) -> Option<Self> {
        Some(Self { server, node: Node::shared_of(server)? })
    }

    pub(super) fn is_opensearch(&self) -> bool {
        matches!(self.server, Server::OpenSearch2 | Server::OpenSearch3)
    }

    /// Elasticsearch 7.17 as it can be had takes no template of data streams.
    pub(super) fn has_streams(&self) -> bool {
        self.server != Server::Elasticsearch7
    }

    /// Opens the plugin: with data streams where the server has them, else with plain indices.
    pub(super) fn open(&self, prefix: &str, more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
        let mut more = more.clone();
        if !self.has_streams() {
            more["indices"] = json!("daily");
        }
        open_at(&self.node, prefix, &more)
    }

    /// The only document of a kind.
    pub(super) fn only(&self, index: &str) -> Value {
        let found = self.search(index, &json!({ "track_total_hits": true }));
        assert_eq!(found["hits"]["total"]["value"], 1, "{index}: {found}");
        found["hits"]["hits"][0].clone()
    }

    /// How many documents a query finds.
    pub(super) fn hits(&self, index: &str, query: &Value) -> u64 {
        let found = self.search(index, &json!({ "size": 0, "query": query, "track_total_hits": true }));
        found["hits"]["total"]["value"].as_u64().unwrap()
    }
}

/// Tests of one server: for each check the test of the same name.
macro_rules! tests_on {
    ($server:ident as $module:ident: $($file:ident::{$($check:ident),+ $(,)?})+) => {
        mod $module {
            $($(
                #[test]
                fn $check() {
                    let Some(engine) = super::Engine::of(support::Server::$server) else { return };
                    super::super::$file::$check(&engine);
                }
            )+)+
        }
    };
}

macro_rules! on_each_engine {
    ($($checks:tt)+) => {
        tests_on!(Elasticsearch7 as elasticsearch_7: $($checks)+);
        tests_on!(Elasticsearch8 as elasticsearch_8: $($checks)+);
        tests_on!(Elasticsearch9 as elasticsearch_9: $($checks)+);
        tests_on!(OpenSearch2 as opensearch_2: $($checks)+);
        tests_on!(OpenSearch3 as opensearch_3: $($checks)+);
    };
}

macro_rules! on_each_engine_with_data_streams {
    ($($checks:tt)+) => {
        tests_on!(Elasticsearch8 as elasticsearch_8_streams: $($checks)+);
        tests_on!(Elasticsearch9 as elasticsearch_9_streams: $($checks)+);
        tests_on!(OpenSearch2 as opensearch_2_streams: $($checks)+);
        tests_on!(OpenSearch3 as opensearch_3_streams: $($checks)+);
    };
}

// What asks for streams or makes and deletes them is not in the distribution of Elasticsearch for tests.
macro_rules! on_each_opensearch {
    ($($checks:tt)+) => {
        tests_on!(OpenSearch2 as opensearch_2_alone: $($checks)+);
        tests_on!(OpenSearch3 as opensearch_3_alone: $($checks)+);
    };
}

on_each_engine! {
    delivery::{
        every_real_record_arrives_and_can_be_asked_for,
        a_repeat_is_accepted_and_makes_no_second_document,
        a_document_that_does_not_fit_is_rejected_alone_in_the_servers_words,
        an_index_that_is_blocked_for_writes_is_waited_for,
        an_index_that_may_only_be_read_or_deleted_is_waited_for,
        an_index_that_is_closed_is_waited_for,
        compressed_requests_are_taken,
    }
    documents::{
        a_count_of_bytes_beyond_63_bits_is_kept_and_fails_nothing,
        a_host_is_an_ip_only_where_it_is_a_literal_address,
        a_record_without_an_end_has_no_duration_and_the_time_of_its_start,
        times_from_1970_to_2262_are_found_as_they_are,
        no_record_is_of_a_wrong_type,
        service_and_host_can_be_asked_for,
    }
    facts::{
        a_compressed_bulk_is_taken_and_again_each_item_is_a_conflict,
        a_name_without_a_template_becomes_a_plain_index,
        an_index_with_a_replica_is_yellow_on_one_node,
        a_bulk_without_a_newline_at_its_end_is_refused_whole,
        a_time_in_seconds_is_taken_for_milliseconds,
        a_time_outside_1970_to_2262_is_refused,
        an_attribute_without_a_name_is_taken,
        localhost_is_no_ip,
        a_number_of_64_bits_fits_a_long_only_where_malformed_ones_are_ignored,
    }
    fields::{
        fields_have_the_mappings_that_they_should_have,
        attributes_of_any_name_and_length_are_kept,
        attributes_are_found_by_where_the_server_can_look_for_them,
        fields_that_nobody_mapped_are_kept_and_not_indexed,
    }
    labels::{
        labels_can_be_asked_for,
        who_is_asked_for_by_the_names_of_ecs,
    }
    layout::{
        one_node_is_enough_for_green,
        daily_indices_are_dated_by_the_record_and_shaped_by_the_template,
        a_day_far_from_the_arrival_makes_no_index,
    }
    probing::{
        a_server_where_all_stands_is_found_good,
        a_probe_changes_nothing,
    }
    program::{
        every_real_record_is_one_document,
        awkward_lines_are_kept_as_they_are,
    }
    redelivery::{
        a_plain_index_takes_no_record_twice,
    }
}

on_each_engine_with_data_streams! {
    facts::{
        a_data_stream_takes_nothing_but_create_with_a_timestamp,
        an_id_is_taken_again_after_a_rollover,
        a_thousand_ids_are_looked_up_over_all_generations_of_a_stream,
    }
    layout::{
        streams_by_elastics_scheme_win_over_its_own_template,
    }
    program::{
        an_answer_that_is_lost_before_a_rollover_makes_no_second_document,
        a_name_that_is_taken_ends_with_what_to_do,
    }
    redelivery::{
        a_record_in_doubt_is_not_written_again_after_a_rollover,
        what_is_missing_after_a_rollover_is_written,
    }
    template::{
        a_template_that_a_person_changed_is_left_as_it_is,
        a_template_that_a_person_should_have_put_is_missed,
    }
    streams::{
        a_plain_index_of_the_name_is_an_error_of_the_config,
        an_alias_of_the_name_is_an_error_of_the_config,
        a_template_of_the_same_rank_is_an_error_that_names_it,
        a_template_of_a_higher_rank_is_an_error_that_names_it,
    }
}

on_each_opensearch! {
    facts::{
        open_search_refuses_long_values_in_a_flat_object,
        open_search_knows_no_parameter_that_demands_a_data_stream,
        open_search_knows_no_lifecycle_in_a_template,
    }
    retention::{
        a_retention_that_the_server_does_not_know_is_an_error_of_the_config,
    }
    streams::{
        a_stream_that_was_deleted_is_a_stream_again,
        a_stream_deleted_with_its_template_is_told_at_the_next_opening,
    }
}

tests_on! {
    Elasticsearch8 as elasticsearch_8_alone:
    facts::{
        elasticsearch_knows_a_lifecycle_in_a_template,
    }
    probing::{
        wrong_credentials_are_found_with_what_to_do,
    }
    retention::{
        a_retention_stands_in_the_template,
    }
    program::{
        an_api_key_from_a_secret_is_taken_and_never_shown,
    }
    streams::{
        a_template_deleted_before_the_first_record_makes_no_plain_index,
    }
}
