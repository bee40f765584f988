// The exchange over OPC UA: one node a block or row, the method SubmitDecision, and security by the
// certificates of a folder. node-opcua keeps its defaults: a host meets the server as most people run it.

import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { nodesets } from "node-opcua-nodesets";
import { MessageSecurityMode, SecurityPolicy } from "node-opcua-secure-channel";
import { OPCUAServer } from "node-opcua-server";
import { StatusCodes } from "node-opcua-status-code";
import { DataType, Variant, VariantArrayType } from "node-opcua-variant";

import { C, D, E, R, T } from "./registers.js";

const NAMESPACE = "urn:parcelgate:plc-exchange:1";
const APPLICATION_URI = "urn:parcelgate:plc-peer:javascript";
const READABLE = "CurrentRead";
const WRITABLE = "CurrentRead | CurrentWrite";

const ARGUMENTS = [
  ["BootId", DataType.UInt32],
  ["Session", DataType.UInt32],
  ["TrackId", DataType.UInt32],
  ["Destination", DataType.UInt16],
  ["Reason", DataType.UInt16],
  ["DecisionSeq", DataType.UInt32],
];

/** options: port, pkiFolder, trustedFolder (without it: no security), prefix. */
export async function serve(program, options) {
  const secure = options.trustedFolder !== undefined;
  const certificates = await openCertificates(options);
  const server = new OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    alternateHostname: ["127.0.0.1", "localhost"],
    nodeset_filename: [nodesets.standard],
    serverInfo: { applicationUri: APPLICATION_URI, applicationName: { text: "parcelgate PLC peer" } },
    serverCertificateManager: certificates.server,
    userCertificateManager: certificates.user,
    securityModes: [secure ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None],
    securityPolicies: [secure ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None],
    allowAnonymous: true,
  });
  await server.initialize();
  addNodes(server.engine.addressSpace, program, options.prefix);
  await server.start();
  return server;
}

async function openCertificates({ pkiFolder, trustedFolder }) {
  const serverFolder = path.join(pkiFolder, "server");
  // Only whom the folder names now.
  fs.rmSync(path.join(serverFolder, "trusted"), { recursive: true, force: true });
  const server = new OPCUACertificateManager({
    rootFolder: serverFolder,
    automaticallyAcceptUnknownCertificate: false,
  });
  const user = new OPCUACertificateManager({ rootFolder: path.join(pkiFolder, "user") });
  await server.initialize();
  await user.initialize();
  for (const name of trustedFolder === undefined ? [] : fs.readdirSync(trustedFolder)) {
    const content = fs.readFileSync(path.join(trustedFolder, name));
    await server.trustCertificate(new X509Certificate(content).raw);
  }
  return { server, user };
}

function addNodes(addressSpace, program, prefix) {
  const namespace = addressSpace.registerNamespace(NAMESPACE);
  const nodeId = (name) => `s=${prefix}${name}`;
  const parent = namespace.addObject({
    organizedBy: addressSpace.rootFolder.objects,
    browseName: "PlcExchange",
    nodeId: nodeId("PlcExchange"),
  });

  const addBlock = (name, at, length, access = READABLE) => {
    const block = {
      get: () => new Variant({
        dataType: DataType.UInt16,
        arrayType: VariantArrayType.Array,
        value: program.image.words.slice(at, at + length),
      }),
    };
    if (access === WRITABLE) block.set = (variant) => writeBlock(program.image, at, length, variant);
    namespace.addVariable({
      componentOf: parent,
      browseName: name,
      nodeId: nodeId(name),
      dataType: DataType.UInt16,
      valueRank: 1,
      arrayDimensions: [length],
      accessLevel: access,
      userAccessLevel: access,
      minimumSamplingInterval: 10,
      value: block,
    });
  };
  const addRows = (name, block, access) => {
    for (let row = 0; row < block.ROWS; row += 1) {
      addBlock(`${name}${row}`, block.AT + row * block.ROW, block.ROW, access);
    }
  };

  addBlock("HP", 0, 20);
  addBlock("E", E.AT, E.ROWS * E.ROW);
  addBlock("C", C.LIFE_SIGN, 12, WRITABLE);
  addBlock("T", T.AT, T.ROWS * T.ROW);
  addRows("R", R);
  addRows("D", D, WRITABLE);
  addMethod(namespace, parent, nodeId("SubmitDecision"), program);
}

/** A block is written as a whole: parts of it, by index range, are refused. */
function writeBlock(image, at, length, variant) {
  if (variant.value?.length !== length) return StatusCodes.BadWriteNotSupported;
  image.words.set(variant.value, at);
  return StatusCodes.Good;
}

function addMethod(namespace, parent, nodeId, program) {
  const method = namespace.addMethod(parent, {
    browseName: "SubmitDecision",
    nodeId,
    inputArguments: ARGUMENTS.map(([name, dataType]) => ({ name, dataType, valueRank: -1 })),
    outputArguments: [{ name: "Result", dataType: DataType.UInt16, valueRank: -1 }],
  });
  method.bindMethod((inputs, _context, callback) => {
    const [bootId, session, trackId, destination, , sequence] = inputs.map((input) => input.value);
    if (sequence === 0) {
      callback(null, { statusCode: StatusCodes.BadInvalidArgument }); // no decision, and 0 is never a result
      return;
    }
    program.submit({ bootId, session, trackId, destination, sequence }, (result) => {
      callback(null, {
        statusCode: StatusCodes.Good,
        outputArguments: [new Variant({ dataType: DataType.UInt16, value: result })],
      });
    });
  });
}
