"""A caller that knows nothing of a service but what the service tells of itself, as grpcurl does: Python's grpcio."""

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Reflected:
    """The services of one port."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def services(self):
        """Ours; beside them are health and reflection."""
        names = set(self.database.get_services())
        assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= names
        return {name for name in names if name.startswith("ip2p.")}

    def service(self, name):
        return self.pool.FindServiceByName(name)

    def call(self, path, request=None, timeout=300, **metadata):
        """call("ip2p.edit.v1.EditService/Edit", {...}) -> the answer as JSON has it; a list of them from a stream."""
        service, name = path.split("/")
        method = self.service(service).methods_by_name[name]
        answer_type = message_factory.GetMessageClass(method.output_type)
        message = json_format.ParseDict(request or {}, message_factory.GetMessageClass(method.input_type)())
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        made = kind(f"/{path}", type(message).SerializeToString, answer_type.FromString)
        answer = made(message, timeout=timeout, metadata=[(k.replace("_", "-"), v) for k, v in metadata.items()])
        if method.server_streaming:
            return [json_format.MessageToDict(event, preserving_proto_field_name=True) for event in answer]
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    def fault(self, path, request=None, **options):
        """The code and words of a call that has to fail."""
        try:
            answer = self.call(path, request, **options)
        except grpc.RpcError as error:
            return error.code(), error.details()
        raise AssertionError(f"it was answered: {answer}")


def messages_of(service):
    """Every message that a service's methods take and give, and those inside of them, by full name."""
    waiting = [kind for method in service.methods for kind in (method.input_type, method.output_type)]
    found = {}
    while waiting:
        message = waiting.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type]
    return found


def shape(message):
    """What of a message is on the wire, and its words in JSON."""
    return sorted((f.name, f.number, f.type, f.is_repeated, f.containing_oneof.name if f.containing_oneof else "",
                   tuple(v.name for v in f.enum_type.values) if f.enum_type else ()) for f in message.fields)
