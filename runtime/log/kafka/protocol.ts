/**
 * The requests of Kafka's protocol that are used, in versions that Kafka 3.2 and all later ones know.
 *
 * @module
 */
import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  createPartitionsV3,
  createTopicsV7,
  describeGroupsV5,
  describeTransactionsV0,
  endTxnV3,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV4,
  joinGroupV9,
  leaveGroupV5,
  listGroupsV4,
  listOffsetsV7,
  metadataV12,
  offsetFetchV8,
  syncGroupV5,
  txnOffsetCommitV3,
} from "./client.ts";

/** Each request as a function of a connection and its arguments. */
export const ask = {
  addOffsetsToTxn: addOffsetsToTxnV3.api.async,
  addPartitionsToTxn: addPartitionsToTxnV3.api.async,
  createPartitions: createPartitionsV3.api.async,
  createTopics: createTopicsV7.api.async,
  describeGroups: describeGroupsV5.api.async,
  describeTransactions: describeTransactionsV0.api.async,
  endTxn: endTxnV3.api.async,
  findCoordinator: findCoordinatorV4.api.async,
  heartbeat: heartbeatV4.api.async,
  initProducerId: initProducerIdV4.api.async,
  joinGroup: joinGroupV9.api.async,
  leaveGroup: leaveGroupV5.api.async,
  listGroups: listGroupsV4.api.async,
  listOffsets: listOffsetsV7.api.async,
  metadata: metadataV12.api.async,
  offsetFetch: offsetFetchV8.api.async,
  syncGroup: syncGroupV5.api.async,
  txnOffsetCommit: txnOffsetCommitV3.api.async,
};

/** Answer to `ask.metadata`. */
export type MetadataResponse = metadataV12.MetadataResponse;
/** Answer to `ask.joinGroup`. */
export type JoinGroupResponse = joinGroupV9.JoinGroupResponse;
