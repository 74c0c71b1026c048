//! What is said about an operation: who may use it, and which problems it can end in.

use super::BEARER;
use crate::access::Scope;
use crate::problem::{Code, PROBLEM_JSON, Problem};
use aide::openapi::{
    Header, HeaderStyle, MediaType, Parameter, ParameterData, ParameterSchemaOrContent, ReferenceOr,
    RequestBody, Response, SchemaObject, StatusCode,
};
use aide::transform::TransformOperation;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Value, json};

/// What any request can meet.
const ANY: [Code; 8] = [
    Code::BadRequest,
    Code::TokenMissing,
    Code::TokenUnknown,
    Code::ScopeMissing,
    Code::OriginNotAllowed,
    Code::HostNotAllowed,
    Code::RateLimited,
    Code::HeadersTooLarge,
];

/// An operation that changes nothing.
pub(crate) fn reading<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id).summary(summary).allowed_with(Scope::Read).problems(&ANY)
}

/// An operation that starts or stops something.
pub(crate) fn changing<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id).summary(summary).tag("plugins").allowed_with(Scope::Admin).problems(&ANY)
}

/// An operation that runs something.
pub(crate) fn running<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id).summary(summary).tag("tools").allowed_with(Scope::Run).problems(&ANY)
}

/// An operation that hands in work for later, or changes it.
pub(crate) fn working<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id).summary(summary).tag("jobs").allowed_with(Scope::Run).problems(&ANY)
}

/// The schema of a type, by its name.
pub(crate) fn schema_of<T: JsonSchema>() -> Schema {
    aide::generate::in_context(|ctx| ctx.schema.subschema_for::<T>())
}

/// A body of one kind.
pub(crate) fn media(schema: Schema, example: Option<Value>) -> MediaType {
    let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
    MediaType { schema: Some(schema), example, ..MediaType::default() }
}

/// What is said about many operations.
pub(crate) trait Docs: Sized {
    /// It is about one plugin, which may not exist.
    fn one_plugin(self) -> Self;
    /// It can end in these problems.
    fn problems(self, codes: &[Code]) -> Self;
    /// It can end in these problems, whose document is this one.
    fn problems_as<T: JsonSchema>(self, codes: &[Code]) -> Self;
    /// A token needs this scope.
    fn allowed_with(self, scope: Scope) -> Self;
    /// It makes a WebSocket of the connection.
    fn becomes_socket(self) -> Self;
    /// It reads a JSON body of this type.
    fn json_body<T: JsonSchema>(self, example: Value) -> Self;
    /// It reads this field of the header, if it is there.
    fn header_field(self, name: &str, about: &str, schema: Schema) -> Self;
}

impl Docs for TransformOperation<'_> {
    fn one_plugin(mut self) -> Self {
        let tags = &mut self.inner_mut().tags;
        if tags.is_empty() {
            tags.push("plugins".to_owned());
        }
        self.problems(&[Code::BadPath, Code::UnknownPlugin])
    }

    fn problems(self, codes: &[Code]) -> Self {
        self.problems_as::<Problem>(codes)
    }

    fn problems_as<T: JsonSchema>(mut self, codes: &[Code]) -> Self {
        let schema = schema_of::<T>();
        let responses = &mut self.inner_mut().responses.get_or_insert_default().responses;
        for code in codes {
            let status = StatusCode::Code(code.status().as_u16());
            let response = responses.entry(status).or_insert_with(|| ReferenceOr::Item(Response::default()));
            let ReferenceOr::Item(response) = response else { continue };
            let line = format!("`{}`: {}", code.text(), code.title());
            if !response.description.is_empty() {
                response.description.push_str("\n\n");
            }
            response.description.push_str(&line);
            response.content.insert(PROBLEM_JSON.to_owned(), media(schema.clone(), None));
            add_header(response, *code);
        }
        self
    }

    fn allowed_with(mut self, scope: Scope) -> Self {
        let needs = IndexMap::from_iter([(BEARER.to_owned(), vec![scope.as_str().to_owned()])]);
        self.inner_mut().security.push(needs);
        self
    }

    fn becomes_socket(mut self) -> Self {
        let switched =
            Response { description: "The connection is a WebSocket now".to_owned(), ..Response::default() };
        let responses = &mut self.inner_mut().responses.get_or_insert_default().responses;
        responses.insert(StatusCode::Code(101), ReferenceOr::Item(switched));
        self
    }

    fn json_body<T: JsonSchema>(mut self, example: Value) -> Self {
        let content =
            IndexMap::from_iter([("application/json".to_owned(), media(schema_of::<T>(), Some(example)))]);
        let body = RequestBody { content, required: true, ..RequestBody::default() };
        self.inner_mut().request_body = Some(ReferenceOr::Item(body));
        self
    }

    fn header_field(mut self, name: &str, about: &str, schema: Schema) -> Self {
        let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
        let parameter_data = ParameterData {
            name: name.to_owned(),
            description: Some(about.to_owned()),
            required: false,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(schema),
            example: None,
            examples: IndexMap::new(),
            explode: None,
            extensions: IndexMap::new(),
        };
        let parameter = Parameter::Header { parameter_data, style: HeaderStyle::Simple };
        self.inner_mut().parameters.push(ReferenceOr::Item(parameter));
        self
    }
}

fn add_header(response: &mut Response, code: Code) {
    let (name, about, schema) = match code.status().as_u16() {
        401 => ("WWW-Authenticate", "How to authenticate", json_schema!({"type": "string"})),
        429 => (
            "Retry-After",
            "Seconds until it is worth another try",
            json_schema!({"type": "integer", "minimum": 1}),
        ),
        _ => return,
    };
    let header = Header {
        description: Some(about.to_owned()),
        style: HeaderStyle::Simple,
        required: code.status().as_u16() == 401,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(SchemaObject {
            json_schema: schema,
            external_docs: None,
            example: None,
        }),
        example: Some(if name == "Retry-After" { json!(1) } else { json!("Bearer realm=\"hardpoint\"") }),
        examples: IndexMap::new(),
        extensions: IndexMap::new(),
    };
    response.headers.insert(name.to_owned(), ReferenceOr::Item(header));
}
